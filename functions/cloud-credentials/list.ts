import { credentials } from '../../shared/cloud-credentials/entity.ts'
import { serveList } from '../../shared/http/serve-records.ts'
import { listCredentials } from './contract.ts'

/** Lists credentials, newest first. */
export const handler = serveList(listCredentials, credentials)
