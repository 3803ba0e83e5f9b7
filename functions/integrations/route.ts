import { routeRecords } from '../../shared/delivery/route.ts'
import { onTableStream } from '../../shared/runtime/table-stream.ts'
import { routeEvents } from './contract.ts'

/** Target of the table's stream: queues the events of a batch for integrations. */
export const handler = onTableStream(routeEvents, routeRecords)
