import { onDeliveries } from '../../shared/delivery/receive.ts'
import { sendDeliveries } from './contract.ts'

/** Target of the queue of deliveries: makes at most one attempt for each message. */
export const handler = onDeliveries(sendDeliveries)
