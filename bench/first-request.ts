/**
 * The first request of a fresh process, including the import: the cost of a late package for the requests that need it, and
 * the gain for the others. Table and Stripe answer at once from loopback, so the times are those of the code.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type OperationName, operations } from '../functions/operations.ts'
import { customerBound } from '../shared/billing/bind-customer.ts'
import { readBilling } from '../shared/billing/rows.ts'
import type { Operation } from '../shared/http/operation.ts'
import { commit } from '../shared/storage/commit.ts'
import { eventFor } from '../test/support/invoke.ts'
import { bundleEntry, type Code, type ColdStart, coldStart, copyHandlers } from './cold-process.ts'
import { type BenchOrg, deadline, makeOrg, requestContext } from './fixture.ts'
import { kib, median, ms, type Report, ratio, type TableRow } from './report.ts'

const samples = 11

interface Case {
  title: string
  code: Code
  /** Whether the request loads Stripe's client. */
  stripe: boolean
  status: number
  event(org: BenchOrg): object
  starts: ColdStart[]
  toBare: number[]
}

export async function measureFirstRequests(): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  const stripe = await startStripe()
  try {
    const billing = { STRIPE_SECRET_KEY: 'sk_test_bench', STRIPE_API_URL: stripe.url }
    const env = { ...process.env, ...billing, DASHBOARD_ORIGINS: 'https://dashboard.example.com' }
    const bare = bundleEntry(folder, 'bare handler', 'bare-handler.ts')
    const measured = cases(copyHandlers(folder))
    const bareStarts: ColdStart[] = []
    for (let sample = 0; sample < samples; sample++) {
      for (const each of measured) {
        const base = await coldStart(bare, folder, env, { pathParameters: { id: 'none' } })
        const start = await coldStart(each.code, folder, env, each.event(await payingOrg()))
        if (start.status !== each.status) throw new Error(`${each.title}: ${start.status}`)
        bareStarts.push(base)
        each.starts.push(start)
        each.toBare.push(start.answeredCpuMs / base.answeredCpuMs)
      }
    }
    return report(bare, bareStarts, measured)
  } finally {
    stripe.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

function cases(handlers: readonly Code[]): Case[] {
  const of = (
    name: OperationName,
    what: string,
    expected: Pick<Case, 'status' | 'stripe'>,
    request: (org: BenchOrg) => { token?: string; params?: Record<string, string>; body?: unknown },
  ): Case => {
    const code = handlers.find((handler) => handler.name === name)
    if (!code) throw new Error(`there is no ${name}`)
    const event = (org: BenchOrg) => eventFor(operations[name] as Operation, request(org))
    return { title: `${name}: ${what}`, code, ...expected, event, starts: [], toBare: [] }
  }
  const token = ({ rawKey }: BenchOrg) => ({ token: rawKey })
  const plain = { status: 200, stripe: false }
  return [
    of('api-keys/get', 'a key', plain, (org) => ({ ...token(org), params: { key_id: org.keyId } })),
    of('billing/get', 'the plan', plain, token),
    of('billing/list-invoices', 'no credential', { status: 401, stripe: false }, () => ({})),
    of('billing/create-checkout', 'a wrong body', { status: 400, stripe: false }, (org) => ({
      ...token(org),
      body: {},
    })),
    of('billing/list-invoices', 'with a call to Stripe', { status: 200, stripe: true }, token),
    of('billing/create-portal', 'with a call to Stripe', { status: 201, stripe: true }, (org) => ({
      ...token(org),
      body: {},
    })),
  ]
}

/** A new org, because a cached copy of its invoices would avoid the call. */
async function payingOrg(): Promise<BenchOrg> {
  const org = await makeOrg()
  const { orgId } = org
  const bound = customerBound(orgId, await readBilling(orgId), `cus_${orgId}`)
  await commit(bound, requestContext(orgId), deadline())
  return org
}

/** Answers every call with the smallest answer that works. */
async function startStripe() {
  const url = 'https://billing.stripe.com/bench'
  // The id is that of the account; the rest serves as a list of invoices, and as a portal session.
  const body = JSON.stringify({ id: 'acct_bench', object: 'list', data: [], has_more: false, url })
  const server = createServer((request, response) => {
    request.resume()
    response.writeHead(200, { 'content-type': 'application/json' }).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

function report(bare: Code, bareStarts: readonly ColdStart[], measured: readonly Case[]): Report {
  const row = (title: string, code: Code, stripe: boolean, starts: readonly ColdStart[], toBare: number): TableRow => ({
    request: title,
    KiB: kib(code.startBytes + (stripe ? code.lateBytes : 0)),
    'import CPU ms': ms(median(starts.map(({ importCpuMs }) => importCpuMs))),
    'to the answer': ms(median(starts.map(({ answeredCpuMs }) => answeredCpuMs))),
    'to bare': ratio(toBare, 1),
    'by the clock, ms': ms(median(starts.map(({ answeredMs }) => answeredMs))),
  })
  const rows = [
    row(`${bare.name}: one read`, bare, false, bareStarts, 1),
    ...measured.map(({ title, code, stripe, starts, toBare }) => row(title, code, stripe, starts, median(toBare))),
  ]
  const note = `Medians of ${samples} fresh processes each, paired with a fresh bare process; CPU time except in the last column. Requests that call Stripe load its client first, so for them a late package saves nothing. A request authenticates, counts and logs; the bare handler reads a row.`
  return { tables: [{ title: 'First request of a process, with the import', rows, note }] }
}
