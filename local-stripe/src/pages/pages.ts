/** The hosted pages: plain forms, no script, nothing from another host. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { readBody } from '../http/read-body.ts'
import { ApiError } from '../model/api-error.ts'
import type { StripeEngine } from '../model/engine.ts'
import { payCheckout, showCheckout } from './checkout-page.ts'
import { dashboardPath, showDashboard } from './dashboard-page.ts'
import { html } from './html.ts'
import { invoicePdf, payInvoicePage, showInvoice } from './invoice-page.ts'
import { layout, type PageAnswer, styleSheet } from './layout.ts'
import { actInOverview, showOverview } from './overview-page.ts'
import { actInPortal, showPortal } from './portal-page.ts'

interface Page {
  show(id: string, failure?: { message: string; form: URLSearchParams }): PageAnswer
  act?(id: string, form: URLSearchParams): PageAnswer
}

/** A handler of all pages under `/local/stripe`. */
export function createPages(engine: StripeEngine) {
  const { store } = engine
  const pages: Record<string, Page> = {
    '': { show: (_id, failure) => showOverview(store, failure), act: (_id, form) => actInOverview(engine, form) },
    'style.css': { show: () => ({ status: 200, body: styleSheet, type: 'text/css; charset=utf-8' }) },
    checkout: {
      show: (id, failure) => showCheckout(store, id, failure),
      act: (id, form) => payCheckout(store, id, form),
    },
    portal: { show: (id, failure) => showPortal(store, id, failure), act: (id, form) => actInPortal(store, id, form) },
    invoice: {
      show: (id, failure) => showInvoice(store, id, failure),
      act: (id, form) => payInvoicePage(store, id, form),
    },
    'invoice/pdf': { show: (id) => invoicePdf(store, id) },
  }
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://stripe.invalid')
    const [, , , name = '', id = '', more] = pathname.split('/')
    const page = pages[more ? `${name}/${more}` : name]
    if (pathname.startsWith(dashboardPath)) send(response, showDashboard(searchParams))
    else if (!page) send(response, notFound())
    else send(response, answerOf(engine, page, request, id, new URLSearchParams(await readBody(request))))
  }
}

function answerOf(
  engine: StripeEngine,
  page: Page,
  request: IncomingMessage,
  id: string,
  form: URLSearchParams,
): PageAnswer {
  try {
    engine.catchUp()
    if (request.method !== 'POST' || !page.act) return page.show(id)
    if (!isFromHere(request)) return notFound()
    const { act } = page
    return engine.store.atomically(() => act(id, form))
  } catch (error) {
    return failed(page, error, id, form)
  }
}

function failed(page: Page, error: unknown, id: string, form: URLSearchParams): PageAnswer {
  if (!(error instanceof ApiError)) throw error
  if (error.status === 404) return notFound()
  try {
    return page.show(id, { message: error.message, form })
  } catch {
    return notFound()
  }
}

/** Whether a form comes from our pages: pages of other origins can send forms here too. */
function isFromHere({ headers }: IncomingMessage): boolean {
  return headers.origin === undefined || headers.origin === `http://${headers.host}`
}

const notFound = (): PageAnswer => ({
  status: 404,
  body: layout({
    title: 'Not found',
    width: 'narrow',
    body: html`<section><h1>Not found</h1><p>This page does not exist, or no longer exists.</p></section>`,
  }),
})

function send(response: ServerResponse, answer: PageAnswer): void {
  if ('redirect' in answer) {
    response.writeHead(303, { location: answer.redirect, 'cache-control': 'no-store' }).end()
    return
  }
  response.writeHead(answer.status, {
    'content-type': answer.type ?? 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy':
      "default-src 'none'; style-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'",
    // Without a referrer, browsers would send `Origin: null` with our forms.
    'referrer-policy': 'same-origin',
    'x-content-type-options': 'nosniff',
  })
  response.end(answer.body)
}
