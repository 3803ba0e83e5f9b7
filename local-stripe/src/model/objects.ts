/** Types of Stripe's package, narrowed to the stored form: a reference to another object is always its id. */
import type Stripe from 'stripe'

/** `T` with its expandable fields as ids. */
type Kept<T, References extends keyof T> = Omit<T, References> & {
  readonly [Field in References]: Extract<T[Field], string> | Extract<T[Field], null>
}

export type Customer = Stripe.Customer
export type Product = Kept<Stripe.Product, 'default_price'>
export type Price = Kept<Stripe.Price, 'product'> & { recurring: Stripe.Price.Recurring }
export type PaymentMethod = Kept<Stripe.PaymentMethod, 'customer'>
export type SubscriptionItem = Omit<Stripe.SubscriptionItem, 'price' | 'quantity'> & { price: Price; quantity: number }
export type Subscription = Omit<
  Kept<Stripe.Subscription, 'customer' | 'latest_invoice' | 'default_payment_method'>,
  'items'
> & {
  items: Omit<Stripe.ApiList<Stripe.SubscriptionItem>, 'data'> & { data: SubscriptionItem[] }
}
export type Invoice = Kept<Stripe.Invoice, 'default_payment_method'> & {
  customer: string
  lines: { data: InvoiceLine[] }
}
export type InvoiceLine = Stripe.InvoiceLineItem
export type CheckoutSession = Kept<Stripe.Checkout.Session, 'customer' | 'subscription' | 'invoice'>
export type LineItem = Omit<Stripe.LineItem, 'price' | 'quantity'> & { price: Price; quantity: number }
export type PortalSession = Kept<Stripe.BillingPortal.Session, 'configuration'>
export type PortalConfiguration = Stripe.BillingPortal.Configuration
export type Event = Stripe.Event
export type Account = Stripe.Account
