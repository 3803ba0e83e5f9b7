/** Introspection of API keys (RFC 7662): the request, as JSON or as a form, and the answers. */
import * as z from 'zod'
import { environments, scopeField } from '../api-keys/record.ts'
import { keyTypes } from '../auth/scopes.ts'
import { planCodes } from '../billing/plans.ts'
import { cloudPolicySchema } from '../cloud-policy/record.ts'
import { lazy } from '../lazy.ts'
import { orgPoliciesSchema } from '../org-policies/record.ts'
import { metrics } from '../usage-limits/record.ts'

const included = ['policies', 'cloud_policy', 'usage'] as const
export type Included = (typeof included)[number]
export const inactiveReasons = ['unknown', 'malformed', 'revoked', 'expired'] as const
export type InactiveReason = (typeof inactiveReasons)[number]
export const denials = ['scope', 'origin', 'rate_limit', 'usage'] as const
export type Denial = (typeof denials)[number]

const texts = {
  token: 'The API key that was presented to you.',
  token_type_hint: 'Ignored.',
  required_scope: 'A scope that the presented request needs.',
  origin: 'The `Origin` header of the presented request. When it is absent or empty, no origin is judged.',
  include: 'What to add to the answer: the organization’s policies, its cloud policy, its use of this month.',
  count: 'Whether to count the presented request against the key’s own rate limit.',
} as const

const maxOriginLength = 2048

export const introspectionBody = lazy(() =>
  z
    .strictObject({
      token: z.string().meta({ description: texts.token }),
      token_type_hint: z.string().optional().meta({ description: texts.token_type_hint }),
      required_scope: scopeField().optional(),
      origin: z.string().max(maxOriginLength).optional().meta({ description: texts.origin }),
      include: z.array(z.enum(included)).max(included.length).default([]).meta({ description: texts.include }),
      count: z.boolean().default(false).meta({ description: texts.count }),
    })
    .meta({ id: 'IntrospectionRequest' }),
)

/** The same request as a form, for the documents. Parameters with other names are ignored. */
export const introspectionForm = lazy(() =>
  z
    .object({
      token: z.string().meta({ description: texts.token }),
      token_type_hint: z.string().optional().meta({ description: texts.token_type_hint }),
      required_scope: scopeField().optional(),
      origin: z.string().max(maxOriginLength).optional().meta({ description: texts.origin }),
      include: z
        .string()
        .optional()
        .meta({ description: `${texts.include} Separated by spaces: ${included.join(', ')}.` }),
      count: z.enum(['true', 'false']).optional().meta({ description: texts.count }),
    })
    .meta({ id: 'IntrospectionForm' }),
)

/** The JSON body that a form stands for. RFC 6749, section 3.2: a parameter without a value counts as omitted. */
export function introspectionBodyOf(form: ReadonlyMap<string, string>): unknown {
  const { token, include, count, ...rest } = Object.fromEntries(
    Object.keys(texts).flatMap((name) => {
      const value = form.get(name)
      return value === undefined || (value === '' && name !== 'token') ? [] : [[name, value]]
    }),
  ) as Partial<Record<keyof typeof texts, string>>
  return {
    ...(token === undefined ? {} : { token }),
    ...rest,
    ...(include === undefined ? {} : { include: include.split(' ').filter((name) => name !== '') }),
    ...(count === undefined ? {} : { count: booleans.get(count) ?? count }),
  }
}

const booleans = new Map([
  ['true', true],
  ['false', false],
])

const epochSeconds = lazy(() => z.int().min(0))
const reference = lazy(() => z.string().nullable())

const usageSchema = lazy(() =>
  z.record(
    z.enum(metrics),
    z
      .object({
        used: z.int(),
        limit: z.int().nullable(),
        mode: z.enum(['enforce', 'alert_only']),
        remaining: z.int().nullable(),
        exceeded: z.boolean(),
      })
      .meta({ id: 'MetricUsage', description: 'The use of one metric in this month, beside its limit.' }),
  ),
)

/** The key itself, by RFC 7662 and in our own names. */
const keyFields = () => ({
  active: z.literal(true),
  scope: z.string().meta({ description: 'The scopes, separated by spaces.' }),
  client_id: z.string().meta({ description: 'Id of the key.' }),
  sub: z.string().meta({ description: 'Id of the key.' }),
  token_type: z.literal('Bearer'),
  exp: epochSeconds().optional().meta({ description: 'End of the key in epoch seconds. Absent: never.' }),
  iat: epochSeconds().meta({ description: 'Creation of the key in epoch seconds.' }),
  key_id: z.string(),
  key_type: z.enum(keyTypes),
  org_id: z.string(),
  environment: z.enum(environments),
  scopes: z.array(scopeField()).meta({ description: 'The scopes of the key. Bundles are expanded.' }),
  app_id: reference(),
  model_id: reference(),
  federation_id: reference(),
  allowed_origins: z.array(z.string()).meta({ description: 'Origins that a publishable key is bound to; empty: any.' }),
  allowed_app_ids: z
    .array(z.string())
    .meta({ description: 'Ids of the apps that may use a publishable key; empty: any.' }),
  state: z.enum(['active', 'retiring']),
  retires_at: z.iso
    .datetime({ precision: 3 })
    .nullable()
    .meta({ description: 'End of the overlap of a retiring key. null: the key is not retiring.' }),
})

/** The rest: limits, what was asked for, and the verdict on the presented request. */
const verdictFields = () => ({
  rate_limit_per_minute: z.int().meta({ description: 'Maximum requests per minute.' }),
  plan: z.enum(planCodes).meta({ description: 'Plan of the organization.' }),
  policies: orgPoliciesSchema().optional(),
  cloud_policy: cloudPolicySchema().optional(),
  usage: usageSchema().optional(),
  permitted: z.boolean().meta({ description: 'Whether the presented request may proceed.' }),
  denied_by: z
    .array(z.enum(denials))
    .optional()
    .meta({ description: 'Everything that denies the presented request. Absent when it is permitted.' }),
  max_age_seconds: z
    .int()
    .min(0)
    .max(30)
    .meta({ description: 'How long you may remember this answer. A revocation reaches you within this time.' }),
})

export const activeKeySchema = lazy(() =>
  z.object({ ...keyFields(), ...verdictFields() }).meta({ id: 'ActiveKey', description: 'A usable key.' }),
)

export const introspectionSchema = lazy(() =>
  z.union([
    activeKeySchema(),
    z
      .object({
        active: z.literal(false),
        reason: z.enum(inactiveReasons).meta({ description: 'Keys of other organizations are `unknown` to you.' }),
      })
      .meta({ id: 'InactiveKey', description: 'A token that is not usable.' }),
  ]),
)

export type ActiveKey = z.infer<ReturnType<typeof activeKeySchema>>
export type Usage = NonNullable<ActiveKey['usage']>
