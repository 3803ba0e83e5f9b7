import { connections } from '../../shared/cloud-connections/entity.ts'
import { serveRecord } from '../../shared/http/serve-records.ts'
import { getConnection } from './contract.ts'

/** One connection, its key masked. */
export const handler = serveRecord(getConnection, connections)
