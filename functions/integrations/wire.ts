/** Integrations in the records of the published contract: four types, flat fields, comma-separated lists. */
import * as z from 'zod'
import { parseOptions } from '../../shared/faults.ts'
import { named, optional, publishedName, wire } from '../../shared/http/published.ts'
import { anyEventTypesField } from '../../shared/integrations/events.ts'
import { FlatFields, flatNames, fromFlat, notices } from '../../shared/integrations/published.ts'
import { createIntegrationBody } from '../../shared/integrations/record.ts'
import type { IntegrationType } from '../../shared/integrations/types.ts'
import { lazy } from '../../shared/lazy.ts'

const publishedTypes = ['slack', 'email', 'webhook', 'siem'] as const

const names = {
  type: 'integration_type',
  event_types: 'webhook_events',
  'config.url': 'webhook_url',
  'config.webhook_url': 'webhook_url',
  'config.workspace_id': 'slack_workspace_id',
  'config.channel': 'slack_channel_id',
  'config.recipients': 'email_recipients',
  'config.reply_to': 'email_from',
  'config.endpoint': 'siem_endpoint',
  'config.format': 'siem_format',
}

const text = () => optional(z.string())
const flag = () => optional(z.boolean())

const flatShape = lazy(() => ({
  ...{ webhook_url: text(), webhook_events: text(), slack_workspace_id: text(), slack_channel_id: text() },
  ...{ email_recipients: text(), email_from: text(), siem_format: text(), siem_endpoint: text() },
  ...{ notify_on_deploy: flag(), notify_on_incident: flag(), notify_on_approval: flag() },
}))

interface Summary {
  id: string
  type: IntegrationType
  category: 'notification' | 'data'
  name: string
  enabled: boolean
  created_at: string
  updated_at: string
}

interface Detail extends Summary {
  config: Readonly<Record<string, unknown>>
  event_types: readonly string[]
  notify_on_deploy: boolean | null
  notify_on_incident: boolean | null
  notify_on_approval: boolean | null
}

/** Types missing from the published contract map to a published type of the same category. */
const typeOf = ({ type, category }: Summary): (typeof publishedTypes)[number] =>
  publishedTypes.find((known) => known === type) ?? (category === 'notification' ? 'webhook' : 'siem')

const toSummary = (integration: Summary) => ({
  id: integration.id,
  name: integration.name,
  integration_type: typeOf(integration),
  enabled: integration.enabled,
  created_at: integration.created_at,
})

/** Fields that show the masked address of an unpublished type. */
const addresses: Partial<Record<IntegrationType, Readonly<Record<string, string>>>> = {
  microsoft_teams: { webhook_url: 'webhook_url' },
  opentelemetry: { siem_endpoint: 'endpoint' },
}

const shown = (value: unknown): unknown => (Array.isArray(value) ? value.join(',') : (value ?? null))

function toDetail(integration: Detail) {
  const fields = flatNames[integration.type] ?? addresses[integration.type] ?? {}
  const of = (flat: string) => shown(fields[flat] === undefined ? null : integration.config[fields[flat]])
  return {
    ...toSummary(integration),
    webhook_url: of('webhook_url'),
    webhook_events: integration.event_types.join(','),
    slack_workspace_id: of('slack_workspace_id'),
    slack_channel_id: of('slack_channel_id'),
    email_recipients: of('email_recipients'),
    email_from: of('email_from'),
    siem_format: of('siem_format'),
    siem_endpoint: of('siem_endpoint'),
    ...Object.fromEntries(notices.map((name) => [name, integration[name]])),
    updated_at: integration.updated_at,
  }
}

export const integrationList = lazy(() => wire({ toAnswer: toSummary }))

/** Body of the v2 create, except for its event types: this face accepts any. */
const creation = lazy(() =>
  z.looseObject({ event_types: anyEventTypesField().optional() }).transform(({ event_types, ...rest }, context) => {
    const ours = createIntegrationBody().safeParse(rest, parseOptions)
    if (ours.success) return { ...ours.data, ...(event_types ? { event_types } : {}) }
    context.issues.push(...ours.error.issues.map((issue) => ({ ...issue, input: rest }) as z.core.$ZodRawIssue))
    return z.NEVER
  }),
)

export const integrationCreation = lazy(() =>
  wire({
    body: z.strictObject({
      name: publishedName(),
      integration_type: z.enum(publishedTypes),
      config: optional(z.strictObject(flatShape())),
    }),
    names,
    input: creation(),
    toInput: ({ name, integration_type: type, config }) => ({
      ...{ name, type },
      ...fromFlat(type, new FlatFields(named(config ?? {}))),
    }),
    toAnswer: toSummary,
  }),
)

export const integrationDetail = lazy(() => wire({ toAnswer: toDetail }))

export const integrationUpdate = lazy(() =>
  wire({
    body: z.strictObject({ name: optional(publishedName()), enabled: flag(), ...flatShape() }),
    names,
    input: z.object({
      name: z.string().optional(),
      enabled: z.boolean().optional(),
      config: z.instanceof(FlatFields).optional(),
    }),
    toInput: ({ name, enabled, ...flat }) => {
      const given = named(flat)
      return {
        ...named({ name, enabled }),
        ...(Object.keys(given).length > 0 ? { config: new FlatFields(given) } : {}),
      }
    },
    toAnswer: toDetail,
  }),
)

interface Verdict {
  valid: boolean
  checks: readonly { field: string; level: string; message: string }[]
}

export const integrationValidation = lazy(() =>
  wire({
    toAnswer: ({ valid, checks }: Verdict) => ({
      success: valid,
      message: valid
        ? 'The configuration is complete. Nothing was sent.'
        : checks
            .filter(({ level }) => level === 'error')
            .map(({ field, message }) => `${names[field as keyof typeof names] ?? field}: ${message}`)
            .join(' '),
    }),
  }),
)
