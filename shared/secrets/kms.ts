/**
 * What sealing and opening have in common. A secret is bound to the row it belongs to by its encryption context, which is
 * taken from the row that is being written or read: a ciphertext that was copied elsewhere does not open.
 */
import { KMSClient } from '@aws-sdk/client-kms'
import { awsClientSettings } from '../runtime/aws-client.ts'
import type { SecretPurpose } from './purpose.ts'

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

export const encryptionContext = ({ orgId, recordId, purpose }: SecretBinding): Record<string, string> => ({
  org_id: orgId,
  record_id: recordId,
  purpose,
})
