/** Decrypts secrets with KMS. Functions that decrypt cannot encrypt. */
import { DecryptCommand } from '@aws-sdk/client-kms'
import { ProblemError } from '../problem.ts'
import { requiredEnvironment } from '../runtime/environment.ts'
import { encryptionContext, keyProblem, kms, type SecretBinding } from './kms.ts'
import { Secret } from './secret.ts'

/** The ciphertext belongs to another row or key: a retry does not help. */
const foreign = new Set(['InvalidCiphertextException', 'IncorrectKeyException'])

/**
 * Decrypts a ciphertext with the context of its row.
 *
 * @throws ProblemError `server_error`, not retryable, when the ciphertext belongs to another row
 * @throws ProblemError `service_unavailable` when the KMS key cannot be used
 */
export async function decrypt(ciphertext: Uint8Array, binding: SecretBinding): Promise<Secret> {
  try {
    const { Plaintext } = await kms().send(
      new DecryptCommand({
        KeyId: requiredEnvironment('secretsKeyId'),
        CiphertextBlob: ciphertext,
        EncryptionContext: encryptionContext(binding),
      }),
    )
    if (!Plaintext) throw new Error('KMS answered without a plaintext')
    return new Secret(Buffer.from(Plaintext).toString('utf8'))
  } catch (error) {
    if (!(error instanceof Error) || !foreign.has(error.name)) throw keyProblem(error)
    throw new ProblemError(
      'server_error',
      'The service cannot decrypt the stored key of this record. Store it again: PATCH the record with its api_key.',
      { retryable: false, cause: error },
    )
  }
}
