import { connections } from '../../shared/cloud-connections/entity.ts'
import { serveList } from '../../shared/http/serve-records.ts'
import { listConnections } from './contract.ts'

/** Lists connections, newest first. */
export const handler = serveList(listConnections, connections)
