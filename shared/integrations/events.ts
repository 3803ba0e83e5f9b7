/** Which events of the platform an integration is for. */
import * as z from 'zod'
import { auditActions } from '../audit/event.ts'
import { lazy } from '../lazy.ts'
import type { IntegrationType } from './types.ts'

const resources = new Set(auditActions.map((action) => action.split('.')[0]))
const known: readonly string[] = ['*', ...auditActions, ...[...resources].map((resource) => `${resource}.*`)]

const everything: readonly IntegrationType[] = ['webhook', 'datadog', 'opentelemetry', 'siem']
const forPeople = ['billing.*', 'usage_limits.*', 'api_key.*']

/** What an integration is for that names nothing: all events for machines, what people act on for people. */
export const defaultEventTypes = (type: IntegrationType): readonly string[] =>
  everything.includes(type) ? ['*'] : forPeople

export const eventTypesField = lazy(() =>
  z
    .array(
      z
        .string()
        .max(100)
        .refine((name) => known.includes(name), 'must be an action of the audit trail, <resource>.* or *'),
    )
    .min(1)
    .max(50)
    .transform((names) => [...new Set(names)]),
)
