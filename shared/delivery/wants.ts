/** Which integrations get an event. */
import type { AuditEvent } from '../audit/event.ts'
import { defaultEventTypes } from '../integrations/events.ts'
import { type IntegrationRecord, isComplete } from '../integrations/record.ts'

/** Whether an integration is on, complete, and lists the event. */
export function wants(
  integration: IntegrationRecord,
  { action, result }: Pick<AuditEvent, 'action' | 'result'>,
): boolean {
  if (!integration.enabled || !isComplete(integration)) return false
  if (result === 'denied' && integration.include_denied !== true) return false
  const listed = integration.event_types ?? defaultEventTypes(integration.type)
  return listed.some((name) => name === '*' || name === action || name === `${action.split('.')[0]}.*`)
}
