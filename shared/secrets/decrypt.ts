/** Opening secrets with KMS, for the one call that needs them. Functions that do this may not seal. */
import { DecryptCommand } from '@aws-sdk/client-kms'
import { ProblemError } from '../problem.ts'
import { requiredEnvironment } from '../runtime/environment.ts'
import { encryptionContext, keyProblem, kms, type SecretBinding } from './kms.ts'
import { Secret } from './secret.ts'

/** It was sealed for another row, or by another key: no repetition opens it. */
const foreign = new Set(['InvalidCiphertextException', 'IncorrectKeyException'])

/**
 * Opens a ciphertext with the context of the row that it was read from.
 *
 * @throws ProblemError `server_error`, not to be retried, when it was not sealed for that row
 * @throws ProblemError `service_unavailable` when the key cannot be used
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
      'The stored key of this record cannot be opened. Write it again: PATCH the record with its api_key.',
      { retryable: false, cause: error },
    )
  }
}
