/** An invoice as a page and as a PDF. */
import { chargedCard, payInvoice } from '../model/billing-cycle.ts'
import { confirmCard, isUnconfirmed } from '../model/cards.ts'
import { formatDate, formatMoney } from '../model/money.ts'
import type { Invoice } from '../model/objects.ts'
import type { Store } from '../model/store.ts'
import { confirmationPage } from './confirm-page.ts'
import { html } from './html.ts'
import { alert, layout, type PageAnswer } from './layout.ts'

export function showInvoice(store: Store, id: string, failure?: { message: string }): PageAnswer {
  const invoice = store.need('invoice', id)
  const { currency, lines, number, status } = invoice
  const body = html`<section>
<h1>Invoice ${number}</h1>
${alert(failure?.message)}
<p class="soft">${formatDate(invoice.created)}${invoice.customer_email && ` · ${invoice.customer_email}`} · <span class="tag ${status === 'paid' ? 'good' : 'warn'}">${status}</span></p>
${lines.data.map((line) => html`<div class="row"><span>${line.description}<br><small class="soft">${formatDate(line.period.start)} – ${formatDate(line.period.end)}</small></span><span>${formatMoney(line.amount, currency)}</span></div>`)}
${invoice.starting_balance !== 0 && html`<div class="row"><span>Credit</span><span>${formatMoney(invoice.amount_due - invoice.total, currency)}</span></div>`}
<p class="row total"><span>Amount due</span><span>${formatMoney(invoice.amount_due, currency)}</span></p>
<p class="row"><span>Paid</span><span>${formatMoney(invoice.amount_paid, currency)}</span></p>
${status === 'open' && html`<form method="post"><button class="wide">Pay ${formatMoney(invoice.amount_remaining, currency)}</button></form>`}
${invoice.invoice_pdf && html`<p><a href="${invoice.invoice_pdf}">Download PDF</a></p>`}
</section>`
  return { status: failure ? 402 : 200, body: layout({ title: `Invoice ${number}`, body, width: 'narrow' }) }
}

export function payInvoicePage(store: Store, id: string, form: URLSearchParams): PageAnswer {
  const confirmation = payOrConfirm(store, id, form)
  if (confirmation) return confirmation
  return { redirect: `${new URL(store.pagesUrl).pathname}/invoice/${id}` }
}

/** Pays an invoice. Returns the confirmation page first when the card needs it. */
export function payOrConfirm(store: Store, id: string, form: URLSearchParams): PageAnswer | undefined {
  const card = chargedCard(store, store.need('invoice', id))
  if (card !== null && isUnconfirmed(store, card)) {
    const confirmation = confirmationPage(form)
    if (confirmation) return confirmation
    confirmCard(store, card)
  }
  payInvoice(store, id)
  return undefined
}

export function invoicePdf(store: Store, id: string): PageAnswer {
  return { status: 200, body: pdfOf(linesOf(store.need('invoice', id))), type: 'application/pdf' }
}

const linesOf = (invoice: Invoice): string[] => [
  'Local Stripe, no real money',
  `Invoice ${invoice.number}, ${invoice.status}`,
  `Date ${formatDate(invoice.created)}`,
  ...invoice.lines.data.map((line) => `${line.description}: ${formatMoney(line.amount, invoice.currency)}`),
  `Amount due ${formatMoney(invoice.amount_due, invoice.currency)}`,
  `Paid ${formatMoney(invoice.amount_paid, invoice.currency)}`,
]

/** A PDF with one page of text: five objects and the table of their offsets. */
function pdfOf(lines: readonly string[]): string {
  const shown = lines.map(
    (line) =>
      `(${line
        .replaceAll('×', 'x')
        .replaceAll(/[^ -~]/g, '?')
        .replaceAll(/[\\()]/g, '\\$&')}) '`,
  )
  const content = `BT /F1 12 Tf 18 TL 50 790 Td ${shown.join(' ')} ET`
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>',
    `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
  ].map((object, index) => `${index + 1} 0 obj\n${object}\nendobj\n`)
  const header = '%PDF-1.4\n'
  let offset = header.length
  const offsets = objects.map((object) => {
    const at = offset
    offset += object.length
    return `${String(at).padStart(10, '0')} 00000 n \n`
  })
  const table = `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${offsets.join('')}`
  return `${header}${objects.join('')}${table}trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${offset}\n%%EOF\n`
}
