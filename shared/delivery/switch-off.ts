/** Switching an integration off: its receiver is gone, or has failed for days. */
import type { RequestContext } from '../audit/request-context.ts'
import { integrations } from '../integrations/entity.ts'
import type { IntegrationRecord } from '../integrations/record.ts'
import { emitMetrics } from '../runtime/metrics.ts'
import { commit, StaleReadError } from '../storage/commit.ts'
import { recordKey, recordUpdated } from '../storage/record.ts'
import { queryRange } from '../table/query.ts'
import { getRow } from '../table/read.ts'
import { fromRow, orgPartition, type Row } from '../table/rows.ts'
import { updateRowIf } from '../table/update.ts'
import { deliveryPrefix, toDelivery } from './delivery.ts'
import { noteSuccess } from './state.ts'

export const reasons = {
  gone: 'The endpoint answered 410 Gone.',
  failing: 'All attempts failed for five days.',
} as const

/** The integration as it is now; undefined when it is deleted. */
export const findIntegration = async (orgId: string, id: string): Promise<IntegrationRecord | undefined> =>
  fromRow<IntegrationRecord>(await getRow(recordKey(integrations, orgId, id)))

const maxTries = 5
const commitMs = 10_000

/** Switches an integration off, unless it is off or deleted; then fails its pending deliveries. */
export async function switchOff(orgId: string, id: string, reason: string, requestId: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const before = await findIntegration(orgId, id)
    if (!before?.enabled) break
    try {
      await commit(switchedOff(orgId, before, reason), contextOf(orgId, requestId), new Date(Date.now() + commitMs))
      emitMetrics('an integration was switched off', { IntegrationsDisabled: 1 }, { org_id: orgId })
      break
    } catch (error) {
      if (!(error instanceof StaleReadError) || attempt === maxTries) throw error
    }
  }
  // A new start when it is switched on again.
  await noteSuccess(orgId, id)
  await failPending(orgId, id, reason)
}

const contextOf = (orgId: string, requestId: string): RequestContext => ({
  ...{ orgId, requestId, now: new Date() },
  actor: { type: 'system', id: 'delivery' },
})

function switchedOff(orgId: string, before: IntegrationRecord, disabled_reason: string) {
  const after = { ...before, enabled: false, disabled_reason, updated_at: new Date().toISOString() }
  return { ...recordUpdated(integrations, orgId, before, after), action: 'integration.disabled' as const }
}

/** Fails all deliveries of an integration that wait. A running attempt still decides its own. */
export async function failPending(orgId: string, integrationId: string, reason: string): Promise<void> {
  const prefix = deliveryPrefix(integrationId)
  const rows = await queryRange(orgPartition(orgId), prefix, `${prefix}~`)
  const waiting = rows.filter((row) => toDelivery(row).status === 'pending')
  await Promise.all(waiting.map((row) => failUntried(row, reason)))
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
