/**
 * The KMS client, and what encryption and decryption share. The encryption context binds a secret to its row: KMS
 * cannot decrypt a ciphertext that was copied to another row.
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

/** A secret as stored: the ciphertext and the mask. */
export interface EncryptedSecret {
  ciphertext: Uint8Array
  masked: string
}

/** Faults of the KMS key that only an operator can fix. */
const keyFaults = new Set([
  ...['NotFoundException', 'DisabledException', 'KMSInvalidStateException', 'InvalidKeyUsageException'],
  ...['AccessDeniedException'],
])

/** Turns a fault of the KMS key into a problem that is not retryable; returns other errors unchanged. */
export function keyProblem(error: unknown): unknown {
  if (!(error instanceof Error) || !keyFaults.has(error.name)) return error
  log.error('cannot use the KMS key of this deployment', { error })
  return new ProblemError(
    'service_unavailable',
    'The service cannot use the KMS key of its stored secrets. An operator must enable the key or its grants.',
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
