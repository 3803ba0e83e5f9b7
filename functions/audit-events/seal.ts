import { onTableStream } from '../../shared/runtime/table-stream.ts'
import { sealRecords } from '../../shared/trail/seal-records.ts'
import { sealAuditEvents } from './contract.ts'

/** Target of the table's stream: chains the events of a batch. */
export const handler = onTableStream(sealAuditEvents, sealRecords)
