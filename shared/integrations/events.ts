/** The events that an integration receives. */
import * as z from 'zod'
import { auditActions } from '../audit/event.ts'
import { lazy } from '../lazy.ts'
import type { IntegrationType } from './types.ts'

const resources = new Set(auditActions.map((action) => action.split('.')[0]))
const known: readonly string[] = ['*', ...auditActions, ...[...resources].map((resource) => `${resource}.*`)]

const everything: readonly IntegrationType[] = ['webhook', 'datadog', 'opentelemetry', 'siem']
const forPeople = ['billing.*', 'usage_limits.*', 'api_key.*']

/** The default events of a type: all events for machines, actionable events for people. */
export const defaultEventTypes = (type: IntegrationType): readonly string[] =>
  everything.includes(type) ? ['*'] : forPeople

const listOf = (name: z.ZodString) =>
  z
    .array(name)
    .min(1)
    .max(50)
    .transform((names) => [...new Set(names)])

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
