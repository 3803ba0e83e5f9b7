/** Encrypts secrets with KMS. Functions that encrypt cannot decrypt. */
import { EncryptCommand } from '@aws-sdk/client-kms'
import { requiredEnvironment } from '../runtime/environment.ts'
import { type EncryptedSecret, encryptionContext, keyProblem, kms, type SecretBinding } from './kms.ts'
import { maskOf, type Secret } from './secret.ts'

/**
 * Encrypts a secret of at most 4096 bytes for one row. `masked` overrides its mask.
 *
 * @throws ProblemError `service_unavailable` when the key cannot be used
 */
export async function encrypt(
  secret: Secret,
  binding: SecretBinding,
  masked = maskOf(secret),
): Promise<EncryptedSecret> {
  const { CiphertextBlob } = await kms()
    .send(
      new EncryptCommand({
        KeyId: requiredEnvironment('secretsKeyId'),
        Plaintext: Buffer.from(secret.reveal()),
        EncryptionContext: encryptionContext(binding),
      }),
    )
    .catch((error: unknown) => {
      throw keyProblem(error)
    })
  if (!CiphertextBlob) throw new Error('KMS answered without a ciphertext')
  return { ciphertext: CiphertextBlob, masked }
}

/** The stored secret after a patch: absent keeps it, null deletes it, a new secret is encrypted. */
export async function encryptField(
  patched: Secret | null | undefined,
  current: EncryptedSecret | null,
  binding: SecretBinding,
): Promise<EncryptedSecret | null> {
  if (patched === undefined) return current
  return patched === null ? null : encrypt(patched, binding)
}
