/**
 * The only module that calls KMS. A secret is sealed with an encryption context that names the row it belongs to, and
 * opened with the context of the row it was read from: a ciphertext that was copied elsewhere does not open.
 */
import { EncryptCommand, KMSClient } from '@aws-sdk/client-kms'
import { awsClientSettings } from '../runtime/aws-client.ts'
import { requiredEnvironment } from '../runtime/environment.ts'
import type { SecretPurpose } from './purpose.ts'
import { maskOf, type Secret } from './secret.ts'

/** The row that a secret belongs to. */
export interface SecretBinding {
  orgId: string
  recordId: string
  purpose: SecretPurpose
}

/** A secret as stored: the ciphertext, and what may be shown of it. */
export interface SealedSecret {
  ciphertext: Uint8Array
  masked: string
}

let shared: KMSClient | undefined

/** The client, made on first use. */
export function kms(): KMSClient {
  shared ??= new KMSClient(awsClientSettings)
  return shared
}

const encryptionContext = ({ orgId, recordId, purpose }: SecretBinding): Record<string, string> => ({
  org_id: orgId,
  record_id: recordId,
  purpose,
})

/** Seals a secret of at most 4096 bytes for one row. `masked` overrides what is shown of it. */
export async function seal(secret: Secret, binding: SecretBinding, masked = maskOf(secret)): Promise<SealedSecret> {
  const { CiphertextBlob } = await kms().send(
    new EncryptCommand({
      KeyId: requiredEnvironment('secretsKeyId'),
      Plaintext: Buffer.from(secret.reveal()),
      EncryptionContext: encryptionContext(binding),
    }),
  )
  if (!CiphertextBlob) throw new Error('KMS answered without a ciphertext')
  return { ciphertext: CiphertextBlob, masked }
}

/** What becomes of a stored secret under a patch: absent keeps it, null drops it, a new one is sealed. */
export async function sealField(
  patched: Secret | null | undefined,
  current: SealedSecret | null,
  binding: SecretBinding,
): Promise<SealedSecret | null> {
  if (patched === undefined) return current
  return patched === null ? null : seal(patched, binding)
}
