/** Views of invoices. */
import * as z from 'zod'
import { lazy } from '../lazy.ts'

const instant = lazy(() => z.iso.datetime())
const minorUnits = lazy(() => z.int().meta({ description: 'In the smallest unit of the currency.' }))

const summaryFields = lazy(() => ({
  id: z.string(),
  number: z.string().nullable(),
  status: z.enum(['draft', 'open', 'paid', 'uncollectible', 'void']).nullable(),
  amount_due: minorUnits(),
  amount_paid: minorUnits(),
  currency: z.string(),
  created: instant(),
  hosted_invoice_url: z.string().nullable(),
}))

export const invoiceSummarySchema = lazy(() => z.object(summaryFields()).meta({ id: 'InvoiceSummary' }))

export const invoiceSchema = lazy(() =>
  z
    .object({
      ...summaryFields(),
      amount_remaining: minorUnits(),
      period_start: instant(),
      period_end: instant(),
      invoice_pdf: z.string().nullable(),
    })
    .meta({ id: 'Invoice' }),
)

export type InvoiceSummary = z.infer<ReturnType<typeof invoiceSummarySchema>>
export type Invoice = z.infer<ReturnType<typeof invoiceSchema>>

export const maxInvoices = 20
