/** Lists the events that Stripe keeps, of the relevant types, newest first. */
import { realPorts } from '../billing/ports.ts'
import { stripeEventTypes } from './event.ts'

/** Both ends inclusive, in epoch seconds. */
export interface EventQuery {
  from: number
  until: number
  limit: number
  /** The id of the last event of the previous page. */
  after?: string | undefined
}

export interface EventPage {
  events: readonly unknown[]
  /** `after` of the next page; undefined at the end. */
  next: string | undefined
}

export const listStripeEvents = ({ from, until, limit, after }: EventQuery): Promise<EventPage> =>
  realPorts.callStripe(async (stripe) => {
    const { data, has_more } = await stripe.events.list({
      created: { gte: from, lte: until },
      types: [...stripeEventTypes],
      limit,
      ...(after ? { starting_after: after } : {}),
    })
    return { events: data, next: has_more ? data.at(-1)?.id : undefined }
  })
