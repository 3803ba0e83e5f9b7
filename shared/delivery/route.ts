/**
 * The router: turns each new event into one delivery per integration that wants it. It first stores the receivers on the event's
 * row, so that a repeated record finds the same ones, and an integration that is switched on later gets no old event.
 */
import type { AuditEvent } from '../audit/event.ts'
import { eventKey, eventPrefix, toEvent } from '../audit/event-rows.ts'
import { readPlan } from '../billing/rows.ts'
import { integrations, obstacleOf } from '../integrations/entity.ts'
import { wants } from '../integrations/events.ts'
import { type IntegrationRecord, isComplete } from '../integrations/record.ts'
import { concurrently } from '../runtime/concurrently.ts'
import { dueNowMs } from '../runtime/due-clock.ts'
import { log } from '../runtime/log.ts'
import { emitMetrics } from '../runtime/metrics.ts'
import type { StreamRecord } from '../runtime/table-stream.ts'
import { allRecords } from '../storage/record.ts'
import { getRow, getRows } from '../table/read.ts'
import { orgIdOf, type Row } from '../table/rows.ts'
import { putRowIf, updateRow } from '../table/update.ts'
import { type DeliveryRef, deliveryIdOf, deliveryKey, newDelivery, toDelivery } from './delivery.ts'
import { mailSender } from './mail.ts'
import { enqueue } from './queue.ts'

/** Routes the events of each org; returns the records of orgs that failed. */
export async function routeRecords(records: readonly StreamRecord[]): Promise<readonly StreamRecord[]> {
  const byOrg = Map.groupBy(records.filter(isEvent), ({ dynamodb }) => orgIdOf(dynamodb?.Keys?.pk?.S ?? ''))
  const failed = await Promise.all([...byOrg].map(async ([orgId, its]) => ((await routeOfOrg(orgId, its)) ? [] : its)))
  // In the order of the batch: Lambda retries from the first one on.
  const failures = new Set(failed.flat())
  return records.filter((record) => failures.has(record))
}

const sortKeyOf = ({ dynamodb }: StreamRecord): string => dynamodb?.Keys?.sk?.S ?? ''
const isEvent = (record: StreamRecord): boolean => sortKeyOf(record).startsWith(eventPrefix)

/** Whether the events of one org are routed. A failed org does not stop the others. */
async function routeOfOrg(orgId: string, records: readonly StreamRecord[]): Promise<boolean> {
  try {
    const ids = [...new Set(records.map((record) => sortKeyOf(record).slice(eventPrefix.length)))]
    await routeEvents(orgId, ids)
    return true
  } catch (error) {
    log.warn('events were not routed; Lambda tries again', { org_id: orgId, error: error as Error })
    return false
  }
}

/** Deliveries that are stored and queued at once. */
const maxAtOnce = 10

/** Routes events of an org. */
export async function routeEvents(orgId: string, eventIds: readonly string[]): Promise<void> {
  const rows = await getRows(eventIds.map((id) => eventKey(orgId, id)))
  const ready = rows.every(isDecided) ? [] : await readyIntegrations(orgId)
  const decided = await Promise.all(rows.map((row) => (isDecided(row) ? row : decide(orgId, row, ready))))
  const pairs = decided.flatMap((row) => receiversIn(row).map((id) => ({ event: toEvent(row), id })))
  await concurrently(maxAtOnce, pairs, ({ event, id }) => queueDelivery(orgId, id, event))
  if (pairs.length > 0) emitMetrics('events routed', { DeliveriesQueued: pairs.length }, { org_id: orgId })
}

const receiversIn = ({ receivers }: Row): readonly string[] => (receivers as readonly string[] | undefined) ?? []
const isDecided = ({ receivers }: Row): boolean => receivers !== undefined

/** Stores the receivers of an event, once: the first router decides. */
async function decide(orgId: string, row: Row, ready: readonly IntegrationRecord[]): Promise<Row> {
  const event = toEvent(row)
  const decided = await updateRow(eventKey(orgId, event.id), {
    UpdateExpression: 'SET receivers = if_not_exists(receivers, :receivers)',
    ConditionExpression: 'attribute_exists(pk)',
    ExpressionAttributeValues: { ':receivers': ready.filter((each) => wants(each, event)).map(({ id }) => id) },
    ReturnValues: 'ALL_NEW',
  })
  return decided ?? row
}

/** The integrations that are on and complete, and whose needs beside their configuration are met. */
async function readyIntegrations(orgId: string): Promise<IntegrationRecord[]> {
  const ready = (await allRecords(integrations, orgId)).filter((each) => each.enabled && isComplete(each))
  if (ready.length === 0) return []
  const { features } = await readPlan(orgId, new Date())
  const surroundings = { features, sendsMail: mailSender() !== undefined }
  return ready.filter(({ type }) => obstacleOf(type, surroundings) === undefined)
}

async function queueDelivery(orgId: string, integrationId: string, event: AuditEvent): Promise<void> {
  const ref: DeliveryRef = {
    org_id: orgId,
    integration_id: integrationId,
    delivery_id: deliveryIdOf(event.id, integrationId),
    event_id: event.id,
  }
  const row = newDelivery(ref, event.action, new Date(), dueNowMs())
  const isNew = await putRowIf(row, { ConditionExpression: 'attribute_not_exists(pk)' })
  // An earlier run may have died between the row and its message.
  if (isNew || (await isUntried(ref))) await enqueue({ ...ref, turn: 0 })
}

/** Whether the delivery may have no message: none tried it, or it was failed meanwhile and is not buried. */
async function isUntried(ref: DeliveryRef): Promise<boolean> {
  const row = await getRow(deliveryKey(ref))
  if (!row) return false
  const { status, step, buried } = toDelivery(row)
  return status === 'pending' ? step === 0 : status === 'failed' && buried !== true
}
