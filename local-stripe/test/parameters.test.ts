/** The parameters that the local Stripe knows are parameters of the pinned package, by its types. */
import type Stripe from 'stripe'
import { expectTypeOf, test } from 'vitest'
import type * as z from 'zod'
import type { priceCreate, priceFilters, priceUpdate, productCreate, productUpdate } from '../src/model/catalog.ts'
import type { sessionCreate, sessionFilters } from '../src/model/checkout.ts'
import type { customerCreate, customerFilters, customerUpdate } from '../src/model/customers.ts'
import type { invoiceFilters, invoicePay } from '../src/model/invoices.ts'
import type { configurationFilters, portalSessionCreate } from '../src/model/portal.ts'
import type { subscriptionUpdate } from '../src/model/subscription-update.ts'
import type {
  subscriptionCancel,
  subscriptionCreate,
  subscriptionFilters,
  subscriptionPause,
  subscriptionResume,
} from '../src/model/subscriptions.ts'

/** Names at any depth, `items[].price`, that the first has and the second does not. */
type Beyond<Ours, Theirs> = Ours extends readonly (infer Our)[]
  ? Theirs extends readonly (infer Their)[]
    ? Beyond<Our, Their>
    : never
  : Ours extends object
    ? {
        [Name in keyof Ours & string]: Name extends AllKeys<Theirs>
          ? Beyond<NonNullable<Ours[Name]>, Of<Theirs, Name>>
          : Name
      }[keyof Ours & string]
    : never

/** Keys of any member of a union, since empty strings stand beside many objects. */
type AllKeys<T> = T extends object ? keyof T : never
type Of<T, Name> = T extends object
  ? Name extends keyof T
    ? Exclude<T[Name], undefined | null | '' | string | number>
    : never
  : never

type Given<Schema extends z.ZodType> = z.output<Schema>

test('every parameter is one of the package’s, at every depth', () => {
  expectTypeOf<Beyond<Given<typeof customerCreate>, Stripe.CustomerCreateParams>>().toEqualTypeOf<never>()
  expectTypeOf<Beyond<Given<typeof customerUpdate>, Stripe.CustomerUpdateParams>>().toEqualTypeOf<never>()
  expectTypeOf<Exclude<keyof typeof customerFilters, keyof Stripe.CustomerListParams>>().toEqualTypeOf<never>()
  expectTypeOf<Beyond<Given<typeof productCreate>, Stripe.ProductCreateParams>>().toEqualTypeOf<never>()
  expectTypeOf<Beyond<Given<typeof productUpdate>, Stripe.ProductUpdateParams>>().toEqualTypeOf<never>()
  expectTypeOf<Beyond<Given<typeof priceCreate>, Stripe.PriceCreateParams>>().toEqualTypeOf<never>()
  expectTypeOf<Beyond<Given<typeof priceUpdate>, Stripe.PriceUpdateParams>>().toEqualTypeOf<never>()
  expectTypeOf<Exclude<keyof typeof priceFilters, keyof Stripe.PriceListParams>>().toEqualTypeOf<never>()
  expectTypeOf<Beyond<Given<typeof sessionCreate>, Stripe.Checkout.SessionCreateParams>>().toEqualTypeOf<never>()
  expectTypeOf<Exclude<keyof typeof sessionFilters, keyof Stripe.Checkout.SessionListParams>>().toEqualTypeOf<never>()
  expectTypeOf<
    Beyond<Given<typeof portalSessionCreate>, Stripe.BillingPortal.SessionCreateParams>
  >().toEqualTypeOf<never>()
  expectTypeOf<
    Exclude<keyof typeof configurationFilters, keyof Stripe.BillingPortal.ConfigurationListParams>
  >().toEqualTypeOf<never>()
  expectTypeOf<Beyond<Given<typeof subscriptionCreate>, Stripe.SubscriptionCreateParams>>().toEqualTypeOf<never>()
  expectTypeOf<Beyond<Given<typeof subscriptionUpdate>, Stripe.SubscriptionUpdateParams>>().toEqualTypeOf<never>()
  expectTypeOf<Beyond<Given<typeof subscriptionCancel>, Stripe.SubscriptionCancelParams>>().toEqualTypeOf<never>()
  expectTypeOf<Beyond<Given<typeof subscriptionPause>, Stripe.SubscriptionPauseParams>>().toEqualTypeOf<never>()
  expectTypeOf<Beyond<Given<typeof subscriptionResume>, Stripe.SubscriptionResumeParams>>().toEqualTypeOf<never>()
  expectTypeOf<Exclude<keyof typeof subscriptionFilters, keyof Stripe.SubscriptionListParams>>().toEqualTypeOf<never>()
  expectTypeOf<Beyond<Given<typeof invoicePay>, Stripe.InvoicePayParams>>().toEqualTypeOf<never>()
  expectTypeOf<Exclude<keyof typeof invoiceFilters, keyof Stripe.InvoiceListParams>>().toEqualTypeOf<never>()
})

test('a parameter that the package does not have would be found', () => {
  expectTypeOf<Beyond<{ items: { colour: string }[]; limit: number }, { items?: { id: string }[] }>>().toEqualTypeOf<
    'colour' | 'limit'
  >()
})
