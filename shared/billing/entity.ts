/**
 * The billing row of an org: the override of its plan, the Stripe customer it is bound to, and the projection of what
 * Stripe says. Each is an attribute of its own, so that writing one never touches another.
 */
import { createHash } from 'node:crypto'
import { type AuditChange, changedFields } from '../audit/event.ts'
import { ProblemError } from '../problem.ts'
import { type Change, StaleReadError } from '../storage/commit.ts'
import {
  change,
  getRow,
  insert,
  orgPartition,
  put,
  queryPage,
  type RowKey,
  updateRow,
  updateRowIf,
  type Write,
} from '../table/table.ts'
import { activeOverride, type Billing, type PlanOverride, planOf } from './current-plan.ts'
import { cheapestPlan, type Plan, type PlanFeature } from './plans.ts'
import { type BillingProjection, billingChanges, billingStateOf } from './projection.ts'

const billingKey = (orgId: string): RowKey => ({ pk: orgPartition(orgId), sk: 'BILLING' })
const customerKey = (customerId: string): RowKey => ({ pk: `STRIPECUSTOMER#${customerId}`, sk: 'STRIPECUSTOMER' })
const syncSeqKey = (orgId: string): RowKey => ({ pk: orgPartition(orgId), sk: 'BILLINGSEQ' })

export async function readBilling(orgId: string): Promise<Billing> {
  const row = await getRow(billingKey(orgId))
  // The functions below wrote these attributes; what comes back is what they wrote.
  return {
    override: row?.override as PlanOverride | undefined,
    overrideVersion: (row?.override_version as number | undefined) ?? 0,
    customerId: row?.customer_id as string | undefined,
    projection: row?.projection as BillingProjection | undefined,
    checkoutSessionId: row?.checkout_session_id as string | undefined,
  }
}

/** The plan that an org is on at an instant. */
export const readPlan = async (orgId: string, now: Date): Promise<Plan> => planOf(await readBilling(orgId), now).plan

/** The change that sets, replaces or (null) clears the override; of two at once the second reads again. */
export function overrideChanged(orgId: string, before: Billing, after: PlanOverride | null, now: Date): Change {
  const { overrideVersion: read } = before
  return {
    action: after ? 'billing.override_set' : 'billing.override_cleared',
    resource: { type: 'billing', id: orgId },
    result: 'success',
    changes: overrideChanges(activeOverride(before, now), after ?? undefined),
    writes: [
      change(
        billingKey(orgId),
        {
          UpdateExpression: `SET override_version = :next${after ? ', #override = :override' : ' REMOVE #override'}`,
          ConditionExpression: read === 0 ? 'attribute_not_exists(override_version)' : 'override_version = :read',
          ExpressionAttributeNames: { '#override': 'override' },
          ExpressionAttributeValues: {
            ':next': read + 1,
            ...(after ? { ':override': after } : {}),
            ...(read === 0 ? {} : { ':read': read }),
          },
        },
        () => new StaleReadError('the override was changed since it was read'),
      ),
    ],
  }
}

/** When and by whom it was set is in the event anyway. */
const toldOfOverride = ['plan', 'reason', 'expires_at'] as const
const noOverride = { plan: null, reason: null, expires_at: null }

const overrideChanges = (before: PlanOverride | undefined, after: PlanOverride | undefined): AuditChange[] =>
  changedFields<Record<(typeof toldOfOverride)[number], unknown>>(
    before ?? noOverride,
    after ?? noOverride,
    toldOfOverride,
  ).map((told) => ({ ...told, field: `override.${told.field}` }))

/**
 * The change that binds an org to its Stripe customer, in the place of the one that was read. Whoever finds the org
 * bound meanwhile reads again.
 */
export function customerBound(orgId: string, before: Billing, customerId: string): Change {
  const { customerId: was, projection } = before
  const unchanged = asRead(was, projection?.sync_seq)
  return {
    action: 'billing.customer_bound',
    resource: { type: 'billing', id: orgId },
    result: 'success',
    changes: [
      { field: 'customer_id', before: was ?? null, after: customerId },
      ...billingChanges(projection, billingStateOf([])),
    ],
    writes: [
      change(
        billingKey(orgId),
        {
          // What the customer before it paid for is not what this one pays for.
          UpdateExpression: 'SET customer_id = :customer REMOVE #projection',
          ...unchanged,
          ExpressionAttributeValues: { ...unchanged.ExpressionAttributeValues, ':customer': customerId },
        },
        () => new StaleReadError('the organization was bound to a customer, or synced, by another request'),
      ),
      insert({ ...customerKey(customerId), org_id: orgId }),
      put({ ...sweepKey(customerId), org_id: orgId }),
    ],
  }
}

/** The org that a customer was bound to; it may be bound to another one by now. */
export const findOrgOfCustomer = async (customerId: string): Promise<string | undefined> =>
  (await getRow(customerKey(customerId)))?.org_id as string | undefined

/** Customers are spread over so many partitions, that the sweep can go through them without a scan. */
export const sweepShards = 16
const sweepPartition = (shard: number): string => `STRIPESWEEP#${shard}`
const shardOf = (customerId: string): number =>
  createHash('sha256').update(customerId).digest().readUInt8(0) % sweepShards
const sweepKey = (customerId: string): RowKey => ({ pk: sweepPartition(shardOf(customerId)), sk: customerId })

/** One page of the customers of a shard, each with its org, in a fixed order; `after` is `next` of the page before. */
export async function listCustomers(
  shard: number,
  { limit, after }: { limit: number; after: string | undefined },
): Promise<{ customers: { customerId: string; orgId: string }[]; next: string | undefined }> {
  const { rows, next } = await queryPage({ partition: sweepPartition(shard), prefix: 'cus_', limit, after })
  return { customers: rows.map(({ sk, org_id }) => ({ customerId: sk, orgId: org_id as string })), next }
}

/** A sync number that is higher than every one that was given out before. */
export async function nextSyncSeq(orgId: string): Promise<number> {
  const row = await updateRow(syncSeqKey(orgId), {
    UpdateExpression: 'ADD #seq :one',
    ExpressionAttributeNames: { '#seq': 'seq' },
    ExpressionAttributeValues: { ':one': 1 },
    ReturnValues: 'UPDATED_NEW',
  })
  return row?.seq as number
}

/** The projection that a write replaces, and for whom. */
interface Over {
  orgId: string
  customerId: string
  readSeq: number | undefined
}

/**
 * The fence: the projection is written over the one that was read and no other, and the caller has seen that its own
 * number is higher. So a slow one cannot overwrite what is newer, and an event tells what was really there before.
 */
function projecting({ customerId, readSeq }: Over, projection: BillingProjection) {
  const unchanged = asRead(customerId, readSeq)
  return {
    UpdateExpression: 'SET #projection = :projection',
    ...unchanged,
    ExpressionAttributeValues: { ...unchanged.ExpressionAttributeValues, ':projection': projection },
  }
}

/** The condition that customer and projection are still as they were read. */
const asRead = (customerId: string | undefined, seq: number | undefined) => ({
  ConditionExpression: [
    customerId === undefined ? 'attribute_not_exists(customer_id)' : 'customer_id = :was',
    seq === undefined ? 'attribute_not_exists(#projection)' : '#projection.sync_seq = :read',
  ].join(' AND '),
  ExpressionAttributeNames: { '#projection': 'projection' },
  ExpressionAttributeValues: {
    ...(customerId === undefined ? {} : { ':was': customerId }),
    ...(seq === undefined ? {} : { ':read': seq }),
  },
})

const projectionMoved = () => new StaleReadError('the projection was changed since it was read')

/** The write of a projection in which something has changed, for a transaction. */
export const projectionWritten = (over: Over, projection: BillingProjection): Write =>
  change(billingKey(over.orgId), projecting(over, projection), projectionMoved)

/** Notes that a projection was found to be right: no change of the org's state, and so no event. */
export async function projectionConfirmed(over: Over, projection: BillingProjection): Promise<void> {
  if (!(await updateRowIf(billingKey(over.orgId), projecting(over, projection)))) throw projectionMoved()
}

/** What the trail tells of a checkout: all but the URL, which whoever has it could pay at. */
interface StartedCheckout {
  session_id: string
  plan: string
  interval: string
  quantity: number
}

/** The change that notes that a checkout was started. */
export const checkoutStarted = (orgId: string, { session_id, plan, interval, quantity }: StartedCheckout): Change => ({
  action: 'billing.checkout_started',
  resource: { type: 'billing', id: orgId },
  result: 'success',
  changes: Object.entries({ session_id, plan, interval, quantity }).map(([field, after]) => ({
    field: `checkout.${field}`,
    after,
  })),
  writes: [
    change(billingKey(orgId), {
      UpdateExpression: 'SET checkout_session_id = :session',
      ConditionExpression: 'attribute_exists(customer_id)',
      ExpressionAttributeValues: { ':session': session_id },
    }),
  ],
})

/** The change that notes that the portal was opened; what is done there comes back as events. */
export const portalOpened = (orgId: string): Change => ({
  action: 'billing.portal_opened',
  resource: { type: 'billing', id: orgId },
  result: 'success',
  changes: [],
  writes: [],
})

/**
 * Holds what a request asks for against the org's plan; the plan is read only when something is asked for.
 *
 * @param wanted the feature that each field of the request needs
 * @throws ProblemError `plan_limit_reached`, naming each field and the plan that has its feature
 */
export async function requireFeatures(
  orgId: string,
  now: Date,
  wanted: Readonly<Record<string, PlanFeature>>,
): Promise<void> {
  const fields = Object.entries(wanted)
  if (fields.length === 0) return
  const plan = await readPlan(orgId, now)
  const missing = fields.filter(([, feature]) => !plan.features.includes(feature))
  if (missing.length === 0) return
  throw planLimit(
    missing.map(([path, feature]) => {
      const needed = cheapestPlan(({ features }) => features.includes(feature))
      return { path, message: `needs the plan ${needed?.code}; the organization is on ${plan.code}` }
    }),
  )
}

/** A 402 that names each field that asks for more than the plan gives. */
export const planLimit = (faults: readonly { path: string; message: string }[]): ProblemError =>
  new ProblemError('plan_limit_reached', faults.map(({ path, message }) => `${path} ${message}`).join('; '), {
    errors: faults.map((fault) => ({ ...fault, code: 'plan_limit' })),
  })
