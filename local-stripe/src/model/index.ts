/** The second face, for tests that simulate billing: Stripe's state and rules, without HTTP, pages or webhooks. */
export { account } from './account.ts'
export { ApiError, resourceMissing } from './api-error.ts'
export { completeSession } from './checkout.ts'
export { setCardsFail } from './customers.ts'
export { createStripeEngine, type StripeEngine } from './engine.ts'
export type { CheckoutSession, Customer, Event, Price, Subscription } from './objects.ts'
export type { Store } from './store.ts'
