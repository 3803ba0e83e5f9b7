import { credentials } from '../../shared/cloud-credentials/entity.ts'
import { serveDeletion } from '../../shared/http/serve-records.ts'
import { deleteCredential } from './contract.ts'

/** Deletes a credential with its key; a second time there is nothing to delete. */
export const handler = serveDeletion(deleteCredential, credentials)
