/**
 * What sealing and opening have in common. A secret is bound to the row it belongs to by its encryption context, which is
 * taken from the row that is being written or read: a ciphertext that was copied elsewhere does not open.
 */
import { KMSClient } from '@aws-sdk/client-kms'
import type { SecretPurpose } from '../access.ts'
import { ProblemError } from '../problem.ts'
import { awsClientSettings } from '../runtime/aws-client.ts'
import { log } from '../runtime/log.ts'

/** The row that a secret belongs to. */
export interface SecretBinding {
  orgId: string
  recordId: string
  purpose: SecretPurpose
}

/** A secret as stored: the ciphertext, and what may be shown of it. */
export interface EncryptedSecret {
  ciphertext: Uint8Array
  masked: string
}

/** Faults of the key itself, which pass only when an operator mends it. */
const keyFaults = new Set([
  ...['NotFoundException', 'DisabledException', 'KMSInvalidStateException', 'InvalidKeyUsageException'],
  ...['AccessDeniedException'],
])

/** A fault of the key as a problem that no repetition mends; any other error as it is. */
export function keyProblem(error: unknown): unknown {
  if (!(error instanceof Error) || !keyFaults.has(error.name)) return error
  log.error('the KMS key of this deployment cannot be used', { error })
  return new ProblemError(
    'service_unavailable',
    'The key that protects stored secrets cannot be used. An operator must enable it or its grants.',
    { retryable: false, cause: error },
  )
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
