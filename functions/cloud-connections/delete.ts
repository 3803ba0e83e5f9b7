import { connections } from '../../shared/cloud-connections/entity.ts'
import { serveDeletion } from '../../shared/http/serve-records.ts'
import { deleteConnection } from './contract.ts'

/** Deletes a connection with its key. A second call answers 404. */
export const handler = serveDeletion(deleteConnection, connections)
