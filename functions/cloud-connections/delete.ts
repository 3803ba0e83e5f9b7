import { connections } from '../../shared/cloud-connections/entity.ts'
import { serveDeletion } from '../../shared/http/serve-records.ts'
import { deleteConnection } from './contract.ts'

/** Deletes a connection with its key; a second time there is nothing to delete. */
export const handler = serveDeletion(deleteConnection, connections)
