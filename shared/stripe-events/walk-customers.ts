/**
 * Walks through all customers, from the position where the last run stopped. Due customers (a period or trial has
 * ended, or there was no sync yet) are synced immediately. At the end, the walk syncs the others with the oldest syncs.
 */
import { listCustomers, sweepShards } from '../billing/customer-shards.ts'
import { type BillingProjection, isLive } from '../billing/projection.ts'
import { readBilling } from '../billing/rows.ts'
import { concurrently } from '../runtime/concurrently.ts'
import type { Customer, SweepRun } from './sweep-run.ts'
import { type Position, type SweepState, saveSweepState } from './sweep-state.ts'

/** How many of the customers with the oldest syncs one run syncs. */
export const maxStale = 200
const pageSize = 100
const readsAtOnce = 8
/** The shares of the time at which the walk ends, and at which the last sync starts. */
const walkShare = 0.8
const endShare = 0.95

interface Stale extends Customer {
  syncedAt: string
}

/** Visits every customer once, or as many as the time allows. */
export async function walkCustomers(sweep: SweepRun, before: SweepState): Promise<void> {
  if (sweep.mustStop(walkShare)) return
  let stale: Stale[] = []
  for await (const { customers, next } of pagesFrom(before.position)) {
    const judged = await judge(sweep, customers)
    const isComplete = await sweep.syncAll(judged.due, walkShare)
    // A page that ran out of time comes first in the next run. A page of failing customers must not block the walk.
    if (!isComplete && !sweep.isHopeless) break
    stale = longestUnasked([...stale, ...judged.stale])
    await saveSweepState({ ...before, position: next })
    if (sweep.mustStop(walkShare)) break
  }
  await sweep.syncAll(stale, endShare)
}

const longestUnasked = (stale: readonly Stale[]): Stale[] =>
  stale.toSorted((a, b) => (a.syncedAt < b.syncedAt ? -1 : 1)).slice(0, maxStale)

interface CustomerPage {
  customers: readonly Customer[]
  /** The position after this page. */
  next: Position
}

/** All shards: first the rest of the current shard, last its beginning. */
async function* pagesFrom({ shard, after }: Position): AsyncGenerator<CustomerPage> {
  yield* pagesOf(shard, { after })
  for (let step = 1; step < sweepShards; step++) yield* pagesOf((shard + step) % sweepShards, {})
  if (after !== undefined) yield* pagesOf(shard, { upTo: after })
}

async function* pagesOf(
  shard: number,
  { after, upTo }: { after?: string | undefined; upTo?: string },
): AsyncGenerator<CustomerPage> {
  let from = after
  do {
    const { customers, next } = await listCustomers(shard, { limit: pageSize, after: from })
    from = next
    const isLast = next === undefined || (upTo !== undefined && next >= upTo)
    if (isLast) from = undefined
    yield {
      customers: customers.filter(({ customerId }) => upTo === undefined || customerId <= upTo),
      next: from === undefined ? afterShard(shard, upTo) : { shard, after: from },
    }
  } while (from !== undefined)
}

const afterShard = (shard: number, upTo: string | undefined): Position =>
  upTo === undefined ? { shard: (shard + 1) % sweepShards } : { shard, after: upTo }

/** Reads the stored projections. Returns the customers that are due, and those that can be synced. */
async function judge({ ports, patience, summary }: SweepRun, customers: readonly Customer[]) {
  const now = ports.timing.now()
  const [due, stale]: [Customer[], Stale[]] = [[], []]
  summary.customersSeen += customers.length
  await concurrently(readsAtOnce, customers, async (customer) => {
    const { customerId: bound, projection } = await readBilling(customer.orgId)
    if (bound !== customer.customerId) return
    if (!projection || isDue(projection, now)) due.push(customer)
    else if (Date.parse(projection.synced_at) <= now.getTime() - patience.restMs) {
      stale.push({ ...customer, syncedAt: projection.synced_at })
    }
  })
  return { due, stale }
}

/** Whether an announced change of the subscription has come since the sync. */
function isDue({ subscription, synced_at }: BillingProjection, now: Date): boolean {
  if (!subscription || !isLive(subscription)) return false
  const { current_period_end, trial_end, cancel_at } = subscription
  const turns = [current_period_end, trial_end, cancel_at]
  return turns.some((turn) => turn !== null && turn > synced_at && turn <= now.toISOString())
}
