/** The event `integration.test`: it shows that an integration works, and is stored nowhere. */

import { hashOf } from '../audit/event.ts'
import type { RequestContext } from '../audit/request-context.ts'
import { requireFeatures } from '../billing/plan-limit.ts'
import { newEventId } from '../ids.ts'
import { featuresOf } from '../integrations/entity.ts'
import type { IntegrationRecord } from '../integrations/record.ts'
import type { DeliveredEvent } from './event.ts'
import { sendFaultOf } from './open.ts'
import { send } from './send.ts'

interface Verdict {
  success: boolean
  status_code: number | null
  latency_ms: number
  error: string | null
}

/** Sends the event once, and returns how that went. */
export async function sendTest(context: RequestContext, integration: IntegrationRecord): Promise<Verdict> {
  const { orgId, now } = context
  await requireFeatures(orgId, now, featuresOf(integration.type, 'type'))
  const fault = sendFaultOf(integration)
  if (fault) return { success: false, status_code: null, latency_ms: 0, error: fault }
  const { status_code, latency_ms, error } = await send(orgId, integration, testEvent(context, integration), new Date())
  return { success: error === null, status_code, latency_ms, error }
}

function testEvent({ actor, now, requestId, ip, userAgent }: RequestContext, { id, name }: IntegrationRecord) {
  const content: Omit<DeliveredEvent, 'hash'> = {
    id: newEventId(now),
    timestamp: now.toISOString(),
    action: 'integration.test',
    actor,
    resource: { type: 'integration', id, name },
    result: 'success',
    changes: [],
    request_id: requestId,
    ...(ip ? { ip } : {}),
    ...(userAgent ? { user_agent: userAgent } : {}),
  }
  return { ...content, hash: hashOf(content) }
}
