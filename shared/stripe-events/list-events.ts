/** The events that Stripe keeps, of the types that matter here, newest first. */
import { realPorts } from '../billing/ports.ts'
import { stripeEventTypes } from './event.ts'

/** Both ends inclusive, in epoch seconds. */
export interface EventQuery {
  from: number
  until: number
  limit: number
  /** The id of the last event of the page before. */
  after?: string | undefined
}

export interface EventPage {
  events: readonly unknown[]
  /** For `after` of the next page; undefined at the end. */
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
