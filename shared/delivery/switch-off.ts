/** Switching an integration off: its receiver is gone, or has failed for days. */
import { isDeepStrictEqual } from 'node:util'
import type { RequestContext } from '../audit/request-context.ts'
import { firstIdOf } from '../ids.ts'
import { integrations } from '../integrations/entity.ts'
import type { IntegrationRecord } from '../integrations/record.ts'
import { concurrently } from '../runtime/concurrently.ts'
import { emitMetrics } from '../runtime/metrics.ts'
import { commit, StaleReadError } from '../storage/commit.ts'
import { recordKey, recordUpdated } from '../storage/record.ts'
import { equalsFilter, queryPage } from '../table/query.ts'
import { getRow } from '../table/read.ts'
import { fromRow, orgPartition, type Row } from '../table/rows.ts'
import { updateRowIf } from '../table/update.ts'
import { deliveryPrefix, toDelivery } from './delivery.ts'

export const reasons = {
  gone: 'The endpoint answered 410 Gone.',
  failing: 'All attempts failed for five days.',
} as const

/** The integration as it is now; undefined when it is deleted. */
export const findIntegration = async (orgId: string, id: string): Promise<IntegrationRecord | undefined> =>
  fromRow<IntegrationRecord>(await getRow(recordKey(integrations, orgId, id)))

const maxTries = 5
const commitMs = 10_000

/**
 * Switches an integration off, unless it is off or deleted; then fails its pending deliveries. Returns false, and changes
 * nothing, when it has another configuration than at the attempt, or was switched on since.
 */
export async function switchOff(
  orgId: string,
  attempted: IntegrationRecord,
  reason: string,
  requestId: string,
): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    const before = await findIntegration(orgId, attempted.id)
    if (before && !isAsAttempted(before, attempted)) return false
    if (!before?.enabled) break
    try {
      await commit(switchedOff(orgId, before, reason), contextOf(orgId, requestId), new Date(Date.now() + commitMs))
      emitMetrics('an integration was switched off', { IntegrationsDisabled: 1 }, { org_id: orgId })
      break
    } catch (error) {
      if (!(error instanceof StaleReadError) || attempt === maxTries) throw error
    }
  }
  const now = await findIntegration(orgId, attempted.id)
  if (now?.disabled_reason) await failPending(orgId, now, now.disabled_reason)
  return true
}

const isAsAttempted = (now: IntegrationRecord, attempted: IntegrationRecord): boolean =>
  now.enabled_ms === attempted.enabled_ms && isDeepStrictEqual(now.config, attempted.config)

const contextOf = (orgId: string, requestId: string): RequestContext => ({
  ...{ orgId, requestId, now: new Date() },
  actor: { type: 'system', id: 'delivery' },
})

function switchedOff(orgId: string, before: IntegrationRecord, disabled_reason: string) {
  const after = { ...before, enabled: false, disabled_reason, updated_at: new Date().toISOString() }
  return { ...recordUpdated(integrations, orgId, before, after), action: 'integration.disabled' as const }
}

/** Receivers can ask for a wait of 12 h eight times. */
const maxScheduleMs = 5 * 86_400_000
const pageSize = 250
const maxAtOnce = 10

/**
 * Fails the deliveries that waited when an integration was switched off. A running attempt still decides its own; older and
 * newer ones end with their own messages.
 */
export async function failPending(orgId: string, { id, updated_at }: IntegrationRecord, reason: string): Promise<void> {
  const prefix = deliveryPrefix(id)
  const from = prefix + firstIdOf('dlv', new Date(Date.now() - maxScheduleMs).toISOString())
  const range = { partition: orgPartition(orgId), prefix, from, limit: pageSize }
  const filter = equalsFilter({ status: 'pending' })
  let after: string | undefined
  do {
    const { rows, next } = await queryPage({ ...range, filter, after })
    const waiting = rows.filter((row) => toDelivery(row).created_at <= updated_at)
    await concurrently(maxAtOnce, waiting, async (row) => {
      await failUntried(row, reason)
    })
    after = next
  } while (after !== undefined)
}

/** Fails a delivery without a send. */
export const failUntried = (row: Row, reason: string): Promise<boolean> => {
  const attempt = { at: new Date().toISOString(), status_code: null, latency_ms: 0, error: reason }
  return updateRowIf(
    { pk: row.pk, sk: row.sk },
    {
      UpdateExpression:
        'SET #status = :failed, attempts = list_append(attempts, :attempt), next_attempt_at = :none, due_ms = :over, requested_done = :requested REMOVE lease_until_ms',
      ConditionExpression:
        '#status = :read AND step = :step AND (attribute_not_exists(lease_until_ms) OR lease_until_ms <= :now)',
      ExpressionAttributeNames: { '#status': 'status' },
      ExpressionAttributeValues: {
        ...{ ':failed': 'failed', ':attempt': [attempt], ':none': null, ':over': 0, ':now': Date.now() },
        ...{ ':read': row.status, ':step': row.step, ':requested': row.requested ?? null },
      },
    },
  )
}
