import { credentials } from '../../shared/cloud-credentials/entity.ts'
import { serveRecord } from '../../shared/http/serve-records.ts'
import { getCredential } from './contract.ts'

/** One credential, metadata only. */
export const handler = serveRecord(getCredential, credentials)
