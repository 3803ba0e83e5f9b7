/** What callers read and request of deliveries. */
import { isKept } from '../audit/event-rows.ts'
import { requireFeatures } from '../billing/plan-limit.ts'
import { newId } from '../ids.ts'
import { featuresOf } from '../integrations/entity.ts'
import { type IntegrationRecord, isComplete } from '../integrations/record.ts'
import { notFound, ProblemError } from '../problem.ts'
import type { PageSpec } from '../table/page-spec.ts'
import { equalsFilter, queryPage } from '../table/query.ts'
import { getRow } from '../table/read.ts'
import { orgPartition } from '../table/rows.ts'
import { updateRow } from '../table/update.ts'
import { type DeliveryView, deliveryKey, deliveryPrefix, toDelivery, toDeliveryView } from './delivery.ts'
import { incomplete } from './open.ts'
import { enqueue } from './queue.ts'

/** One page of an integration's deliveries, newest first. */
export async function readDeliveries(
  orgId: string,
  integrationId: string,
  { status }: { status?: string | undefined },
  { limit, after, now }: PageSpec,
): Promise<{ data: DeliveryView[]; next: string | undefined }> {
  const { rows, next } = await queryPage({
    ...{ partition: orgPartition(orgId), prefix: deliveryPrefix(integrationId), newestFirst: true, limit, after },
    filter: equalsFilter({ status }),
  })
  return { data: rows.filter((row) => isKept(row, now)).map((row) => toDeliveryView(toDelivery(row))), next }
}

/**
 * Requests an attempt of a delivery at once.
 *
 * @throws ProblemError `not_found`; `conflict` when the integration is disabled or incomplete
 */
export async function requestAttempt(
  orgId: string,
  integration: IntegrationRecord,
  deliveryId: string,
  now: Date,
): Promise<DeliveryView> {
  const ref = { org_id: orgId, integration_id: integration.id, delivery_id: deliveryId }
  const row = await getRow(deliveryKey(ref))
  if (!row || !isKept(row, now)) throw notFound()
  if (!integration.enabled) throw new ProblemError('conflict', 'The integration is disabled. Enable it, then retry.')
  if (!isComplete(integration)) throw new ProblemError('conflict', incomplete)
  await requireFeatures(orgId, now, featuresOf(integration.type, 'type'))
  const requested = newId('dlv')
  const updated = await updateRow(deliveryKey(ref), {
    UpdateExpression: 'SET requested = :requested, #status = :pending, next_attempt_at = :now',
    ConditionExpression: 'attribute_exists(pk)',
    ExpressionAttributeNames: { '#status': 'status' },
    ExpressionAttributeValues: { ':requested': requested, ':pending': 'pending', ':now': now.toISOString() },
    ReturnValues: 'ALL_NEW',
  })
  await enqueue({ ...ref, event_id: toDelivery(row).event_id, requested })
  return toDeliveryView(toDelivery(updated ?? row))
}
