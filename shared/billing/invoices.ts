/** Invoices from Stripe, through the cache. */
import type Stripe from 'stripe'
import { isMissing } from '../stripe/client.ts'
import { type Copy, cached, expire } from './cached.ts'
import { type Invoice, type InvoiceSummary, maxInvoices } from './invoice-view.ts'
import { isDeletedCustomer } from './known-customer.ts'
import { realPorts } from './ports.ts'

export interface Payer {
  orgId: string
  customerId: string
}

/** The last 20 invoices, newest first, at most 90 seconds old. */
export const recentInvoices = ({ orgId, customerId }: Payer): Promise<Copy<Invoice[]>> =>
  cached({ orgId, name: recentName(customerId), ttlSeconds: 90 }, async () =>
    (await listInvoices(customerId, maxInvoices)).map(toInvoice),
  )

const recentName = (customerId: string): string => `INVOICES#${customerId}`
const latestName = (customerId: string): string => `LATESTINVOICE#${customerId}`

/** Makes the next reader ask Stripe, after an event about an invoice. */
export async function dropInvoices({ orgId, customerId }: Payer): Promise<void> {
  await Promise.all([recentName(customerId), latestName(customerId)].map((name) => expire({ orgId, name })))
}

/** The latest invoice, at most 60 seconds old; null when there is none. */
export const latestInvoice = ({ orgId, customerId }: Payer): Promise<Copy<InvoiceSummary | null>> =>
  cached({ orgId, name: latestName(customerId), ttlSeconds: 60 }, async () => {
    const [latest] = await listInvoices(customerId, 1)
    return latest ? toSummary(latest) : null
  })

/** Shorter than for other calls: a person waits, and the cache usually has a copy. */
const impatient = { timeout: 4000, maxNetworkRetries: 1 }

async function listInvoices(customer: string, limit: number): Promise<Stripe.Invoice[]> {
  const { data } = await realPorts.callStripe((stripe) =>
    stripe.invoices.list({ customer, limit }, impatient).catch(async (error: unknown) => {
      if (isMissing(error) && (await isDeletedCustomer(stripe, customer))) return { data: [] }
      throw error
    }),
  )
  return data.toSorted((a, b) => b.created - a.created)
}

const toSummary = (invoice: Stripe.Invoice): InvoiceSummary => ({
  id: invoice.id,
  number: invoice.number,
  status: invoice.status as InvoiceSummary['status'],
  amount_due: invoice.amount_due,
  amount_paid: invoice.amount_paid,
  currency: invoice.currency,
  created: toInstant(invoice.created),
  hosted_invoice_url: invoice.hosted_invoice_url ?? null,
})

const toInvoice = (invoice: Stripe.Invoice): Invoice => ({
  ...toSummary(invoice),
  amount_remaining: invoice.amount_remaining,
  period_start: toInstant(invoice.period_start),
  period_end: toInstant(invoice.period_end),
  invoice_pdf: invoice.invoice_pdf ?? null,
})

const toInstant = (epochSeconds: number): string => new Date(epochSeconds * 1000).toISOString()
