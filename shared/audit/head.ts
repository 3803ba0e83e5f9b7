/** The head of an org's audit chain: a row that moves with every event. */
import { getRow } from '../table/read.ts'
import { fromRow, orgPartition, type RowKey } from '../table/rows.ts'
import { genesisHash } from './event.ts'

const defaultRetentionDays = 365

export const headKey = (orgId: string): RowKey => ({ pk: orgPartition(orgId), sk: 'AUDITHEAD' })

/** The end of an org's chain. `seq` 0: a chain without events. */
export interface Head {
  seq: number
  hash: string
  timestamp: string
  /** Time of the first event; absent before it. */
  startedAt?: string
  /** The latest expiry of an event so far, in epoch seconds. */
  expiryEpoch: number
  retentionDays: number
}

interface HeadRecord {
  seq: number
  hash: string
  timestamp: string
  started_at: string
  expiry_epoch: number
  retention_days?: number
}

export async function readHead(orgId: string): Promise<Head> {
  const row = await getRow(headKey(orgId))
  if (!row) return { seq: 0, hash: genesisHash, timestamp: '', expiryEpoch: 0, retentionDays: defaultRetentionDays }
  const { seq, hash, timestamp, started_at, expiry_epoch, retention_days } = fromRow<HeadRecord>(row)
  return {
    seq,
    hash,
    timestamp,
    startedAt: started_at,
    expiryEpoch: expiry_epoch,
    retentionDays: retention_days ?? defaultRetentionDays,
  }
}
