import { credentials } from '../../shared/cloud-credentials/entity.ts'
import { serveDeletion } from '../../shared/http/serve-records.ts'
import { deleteCredential } from './contract.ts'

/** Deletes a credential with its key. A second call answers 404. */
export const handler = serveDeletion(deleteCredential, credentials)
