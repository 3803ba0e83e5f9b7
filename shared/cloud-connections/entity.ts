/** Connections in the table. */
import type { SecretBinding } from '../secrets/kms.ts'
import type { Mutation } from '../storage/commit.ts'
import { type RecordKind, recordUpdated } from '../storage/record.ts'
import {
  type ConnectionRecord,
  type ConnectionView,
  connectionDefaults,
  toAuditFields,
  toConnectionView,
} from './record.ts'

export const connections: RecordKind<ConnectionRecord, ConnectionView> = {
  prefix: 'CONN#',
  resource: 'cloud_connection',
  created: 'cloud_connection.created',
  updated: 'cloud_connection.updated',
  deleted: 'cloud_connection.deleted',
  max: 100,
  plural: 'cloud connections',
  defaults: { ...connectionDefaults, error_count: 0 },
  shown: toConnectionView,
  audited: toAuditFields,
}

/** Binds the key of a connection to its row. */
export const keyOf = (orgId: string, id: string): SecretBinding => ({
  orgId,
  recordId: id,
  purpose: 'cloud_connection',
})

/** The change that stores the result of a test. */
export const connectionTested = (orgId: string, before: ConnectionRecord, after: ConnectionRecord): Mutation => ({
  ...recordUpdated(connections, orgId, before, after),
  action: 'cloud_connection.tested',
})
