/** Integrations: the request fields, the record and its view, derived from the spec of the type. */
import * as z from 'zod'
import { nameField } from '../fields.ts'
import { idSchema } from '../ids.ts'
import { lazy } from '../lazy.ts'
import type { EncryptedSecret } from '../secrets/kms.ts'
import { maskedEndpoint, Secret } from '../secrets/secret.ts'
import type { StoredRecord } from '../storage/record.ts'
import { defaultEventTypes, eventTypesField } from './events.ts'
import { type FieldSpec, type IntegrationType, integrationTypeNames, specOf } from './types.ts'

/** An encrypted value, and whether it looked like a placeholder when it was written. */
export type KeptSecret = EncryptedSecret & { placeholder: boolean }
export type KeptValue = unknown | KeptSecret | Record<string, KeptSecret>

export interface IntegrationRecord extends StoredRecord {
  type: IntegrationType
  enabled: boolean
  config: Record<string, KeptValue>
  /** Absent: the default of the type. */
  event_types?: readonly string[] | undefined
  /** Absent: false. */
  include_denied?: boolean | undefined
  /** The signing secret that the current one replaced, and until when it signs too, in milliseconds of the due clock. */
  former_secret?: { secret: KeptSecret; until_ms: number } | undefined
  /** When it was last switched on again, in milliseconds of the due clock. */
  enabled_ms?: number | undefined
  /** Why the service switched the integration off. */
  disabled_reason?: string | null | undefined
  notify_on_deploy?: boolean | null | undefined
  notify_on_incident?: boolean | null | undefined
  notify_on_approval?: boolean | null | undefined
}

const noticeField = lazy(() =>
  z.boolean().nullable().meta({ description: 'Stored for other services of the platform; does not filter events.' }),
)
const noticeFields = lazy(() => ({
  notify_on_deploy: noticeField(),
  notify_on_incident: noticeField(),
  notify_on_approval: noticeField(),
}))
const eventTypes = lazy(() =>
  eventTypesField().meta({
    description:
      'Events that the integration receives: actions of the audit trail, `<resource>.*` or `*`. Default: by type.',
  }),
)
const includeDenied = lazy(() =>
  z.boolean().meta({ description: 'Whether the integration also receives denied attempts. Default: false.' }),
)
/** Members other than name, switch and configuration. */
const furtherFields = lazy(() => ({
  event_types: eventTypes().nullable(),
  include_denied: includeDenied(),
  ...noticeFields(),
}))
export const furtherInput = lazy(() => z.object(furtherFields()).partial().shape)

const mapFields = (type: IntegrationType, schemaOf: (spec: FieldSpec) => z.ZodType): z.ZodRawShape =>
  Object.fromEntries(
    Object.entries(specOf(type).fields).map(([name, spec]) => [
      name,
      schemaOf(spec).nullable().optional().meta({ description: spec.description }),
    ]),
  )

/** The configuration of a type in a request: any of its fields; null clears one. */
export const configInput = (type: IntegrationType) => z.strictObject(mapFields(type, ({ value }) => value()))

const shownValue = ({ keeping, value }: FieldSpec): z.ZodType =>
  keeping === 'plain' ? value() : keeping === 'secret_map' ? z.record(z.string(), z.string()) : z.string()

const variants = <T extends z.ZodObject>(of: (type: IntegrationType) => T): [T, ...T[]] =>
  // There is at least one type.
  integrationTypeNames.map(of) as [T, ...T[]]

/** The body of a create. `type` decides the fields of `config`. */
export const createIntegrationBody = lazy(() =>
  z.discriminatedUnion(
    'type',
    variants((type) =>
      z
        .strictObject({
          type: z.literal(type).meta({ description: 'The type of integration; it decides the fields of `config`.' }),
          name: nameField(),
          config: configInput(type).optional().meta({ description: 'The configuration; it can be completed later.' }),
          ...furtherInput(),
        })
        .meta({ id: `New${pascal(type)}` }),
    ),
  ),
)

const applied = ['name', 'enabled', 'config', 'event_types', 'include_denied', 'notify_on_*'] as const
/** Limits the work per request. No type has as many fields. */
const maxFields = 50
const tooMany = `must not have more than ${maxFields} fields`
const fits = (object: object) => Object.keys(object).length <= maxFields

export const patchIntegrationBody = lazy(() =>
  z
    .looseObject({
      name: nameField().optional(),
      enabled: z.boolean().optional().meta({ description: 'Whether the integration is used.' }),
      config: z
        .record(z.string(), z.unknown())
        .refine(fits, tooMany)
        .optional()
        .meta({ description: 'Fields of the type’s configuration, as in create.', maxProperties: maxFields }),
      ...furtherInput(),
    })
    .refine((body) => Object.keys(body).length > 0, `must change at least one field: ${applied.join(', ')}`)
    .refine(fits, tooMany)
    .meta({ minProperties: 1, maxProperties: maxFields }),
)

const summaryFields = lazy(() => ({
  id: idSchema('int', 'Id of the integration.'),
  category: z.enum(['notification', 'data']),
  name: z.string(),
  enabled: z.boolean(),
  config_valid: z.boolean().meta({ description: 'Whether all required fields of the configuration are set.' }),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
}))

export const integrationSummarySchema = lazy(() =>
  z.object({ type: z.enum(integrationTypeNames), ...summaryFields() }).meta({ id: 'IntegrationSummary' }),
)

/** `microsoft_teams` as part of a schema's name: `MicrosoftTeams`. */
const pascal = (name: string): string =>
  name.replaceAll(/(?:^|_)([a-z])/g, (_all, letter: string) => letter.toUpperCase())

const integrationWith = <Extra extends z.ZodRawShape>(prefix: string, extra: Extra) =>
  z.discriminatedUnion(
    'type',
    variants((type) =>
      z
        .object({
          type: z.literal(type),
          ...summaryFields(),
          config: z.object(mapFields(type, shownValue)),
          event_types: z.array(z.string()),
          include_denied: includeDenied(),
          disabled_reason: z
            .string()
            .nullable()
            .meta({ description: 'Why the service switched the integration off. null: it did not.' }),
          ...noticeFields(),
          ...extra,
        })
        .meta({ id: `${prefix}${pascal(type)}` }),
    ),
  )

export const integrationSchema = lazy(() =>
  integrationWith('Integration', {}).meta({
    id: 'Integration',
    description: 'An integration; secret fields of `config` are masked.',
  }),
)

export const patchedIntegrationSchema = lazy(() =>
  integrationWith('PatchedIntegration', { ignored_fields: z.array(z.string()) }).meta({
    id: 'PatchedIntegration',
    description: 'An integration, and the fields of the patch that were not applied.',
  }),
)

/** The view of a configuration field: plain or masked. */
export function shownField(spec: FieldSpec, value: KeptValue): unknown {
  if (spec.keeping === 'plain') return value
  // Rows of earlier versions hold endpoints as plain text.
  if (typeof value === 'string') return maskedEndpoint(new Secret(value))
  if (spec.keeping !== 'secret_map') return (value as KeptSecret).masked
  const names = Object.entries(value as Record<string, KeptSecret>).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(names.map(([name, kept]) => [name, kept.masked]))
}

const shownConfig = ({ type, config }: IntegrationRecord): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(specOf(type).fields)
      .filter(([name]) => config[name] !== undefined)
      .map(([name, spec]) => [name, shownField(spec, config[name])]),
  )

/** Whether all required fields are set. */
export const isComplete = ({ type, config }: Pick<IntegrationRecord, 'type' | 'config'>): boolean =>
  Object.entries(specOf(type).fields).every(([name, { need }]) => need !== 'required' || config[name] !== undefined)

export const toSummary = (integration: IntegrationRecord) => ({
  id: integration.id,
  type: integration.type,
  category: specOf(integration.type).category,
  name: integration.name,
  enabled: integration.enabled,
  config_valid: isComplete(integration),
  created_at: integration.created_at,
  updated_at: integration.updated_at,
})

/** Rows of earlier versions lack these fields. */
const furtherOf = (integration: IntegrationRecord) => ({
  event_types: [...(integration.event_types ?? defaultEventTypes(integration.type))],
  include_denied: integration.include_denied ?? false,
  notify_on_deploy: integration.notify_on_deploy ?? null,
  notify_on_incident: integration.notify_on_incident ?? null,
  notify_on_approval: integration.notify_on_approval ?? null,
})

/** An integration as it is served: secrets by their masks. */
export type IntegrationView = ReturnType<typeof toIntegrationView>

export const toIntegrationView = (integration: IntegrationRecord) => ({
  ...toSummary(integration),
  config: shownConfig(integration),
  ...furtherOf(integration),
  disabled_reason: integration.disabled_reason ?? null,
})

/** The fields that an event shows, by dotted path. */
export const toAuditFields = (integration: IntegrationRecord): Record<string, unknown> => ({
  type: integration.type,
  name: integration.name,
  enabled: integration.enabled,
  ...furtherOf(integration),
  ...(integration.disabled_reason ? { disabled_reason: integration.disabled_reason } : {}),
  ...Object.fromEntries(Object.entries(shownConfig(integration)).map(([name, value]) => [`config.${name}`, value])),
})
