/** The events that an integration receives. */
import * as z from 'zod'
import { type AuditEvent, auditActions } from '../audit/event.ts'
import { lazy } from '../lazy.ts'
import type { IntegrationType } from './types.ts'

const resources = new Set(auditActions.map((action) => action.split('.')[0]))
const known: readonly string[] = ['*', ...auditActions, ...[...resources].map((resource) => `${resource}.*`)]

const everything: readonly IntegrationType[] = ['webhook', 'datadog', 'opentelemetry', 'siem']
const forPeople = ['billing.*', 'usage.*', 'api_key.*', 'integration.disabled']

/** The default events of a type: all events for machines, actionable events for people. */
export const defaultEventTypes = (type: IntegrationType): readonly string[] =>
  everything.includes(type) ? ['*'] : forPeople

const listOf = (name: z.ZodString) =>
  z
    .array(name)
    .min(1)
    .max(50)
    .transform((names) => [...new Set(names)])

interface Selection {
  type: IntegrationType
  enabled: boolean
  /** Absent: the default of the type. */
  event_types?: readonly string[] | undefined
  include_denied?: boolean | undefined
}

/** Whether an integration selects an event. Its plan, mail sender and configuration are checked apart. */
export function wants(integration: Selection, { action, result }: Pick<AuditEvent, 'action' | 'result'>): boolean {
  if (!integration.enabled || (result === 'denied' && !integration.include_denied)) return false
  const names = integration.event_types ?? defaultEventTypes(integration.type)
  return names.some((name) => name === '*' || name === action || name === `${action.split('.')[0]}.*`)
}

const isKnown = (name: string): boolean => known.includes(name)

export const eventTypesField = lazy(() =>
  listOf(z.string().max(100).refine(isKnown, 'must be an action of the audit trail, <resource>.* or *')),
)

/**
 * Published clients also name events of other parts of the platform. They are stored, but this service never sends
 * them.
 */
export const anyEventTypesField = lazy(() =>
  listOf(z.string().regex(/^[A-Za-z0-9_.:*-]{1,100}$/, 'must be a name of letters, digits and . _ : * -')),
)
