/** API keys: the stored record, the served view and the states. Neither contains the raw key. */
import * as z from 'zod'
import { type Actor, actorSchema } from '../audit/event.ts'
import type { Environment } from '../auth/api-key.ts'
import { type KeyType, keyTypes, scopeNames } from '../auth/scopes.ts'
import { idSchema } from '../ids.ts'
import { lazy } from '../lazy.ts'

export const environments = ['live', 'test'] as const satisfies readonly Environment[]
export const keyStates = ['active', 'retiring', 'revoked', 'expired'] as const
export type KeyState = (typeof keyStates)[number]

const timestamp = lazy(() => z.iso.datetime({ precision: 3 }))

export const scopeField = lazy(() =>
  z.enum(scopeNames).meta({ id: 'Scope', description: 'A permission of a credential.' }),
)

export const keyViewSchema = lazy(() =>
  z
    .object({
      id: idSchema('key', 'Id of the key.'),
      name: z.string(),
      key_type: z.enum(keyTypes),
      prefix: z.string().meta({ description: 'The part of the raw key that is safe to show.' }),
      scopes: z.array(scopeField()),
      environment: z.enum(environments),
      federation_id: z.string().nullable(),
      model_id: z.string().nullable(),
      app_id: z.string().nullable().meta({ description: 'The app that an app key is bound to.' }),
      allowed_origins: z
        .array(z.string())
        .meta({ description: 'Origins that a publishable key is bound to; empty: any.' }),
      allowed_app_ids: z
        .array(z.string())
        .meta({ description: 'Ids of the apps that may use a publishable key; empty: any.' }),
      rate_limit_per_minute: z.int().nullable().meta({ description: 'Requests per minute; null: the default of 100.' }),
      state: z.enum(keyStates).meta({
        description: 'retiring: rotated with an overlap that is still running; the key works until `revoked_at`.',
      }),
      created_at: timestamp(),
      created_by: actorSchema(),
      expires_at: timestamp().nullable(),
      last_used_at: timestamp().nullable().meta({ description: 'At most 5 minutes out of date.' }),
      revoked_at: timestamp().nullable().meta({ description: 'In the future while the key is retiring.' }),
      revoked_reason: z.string().nullable(),
      rotated_from: z.string().nullable().meta({ description: 'Id of the key that this one replaced.' }),
      rotated_to: z.string().nullable().meta({ description: 'Id of the key that replaced this one.' }),
    })
    .meta({
      id: 'ApiKey',
      description: 'An API key, without its raw value, which is shown once, at creation.',
    }),
)

export type KeyView = z.infer<ReturnType<typeof keyViewSchema>>

/**
 * A key as stored. Its state follows from the time, except for an immediate revocation (`retiring` false): the clocks
 * of two functions differ slightly.
 */
export type KeyRecord = Omit<KeyView, 'state'> & { retiring: boolean }

/** The attributes of a stored key. */
export const keyFields: readonly string[] = Object.keys({
  ...{ id: true, name: true, key_type: true, prefix: true, scopes: true, environment: true },
  ...{ federation_id: true, model_id: true, app_id: true, allowed_origins: true, allowed_app_ids: true },
  ...{ rate_limit_per_minute: true, created_at: true, created_by: true, expires_at: true, last_used_at: true },
  ...{ revoked_at: true, retiring: true, revoked_reason: true, rotated_from: true, rotated_to: true },
} satisfies Record<keyof KeyRecord, true>)

export function keyState(key: Pick<KeyRecord, 'revoked_at' | 'retiring' | 'expires_at'>, now: Date): KeyState {
  const isPast = (instant: string | null) => instant !== null && Date.parse(instant) <= now.getTime()
  if (key.revoked_at !== null && (!key.retiring || isPast(key.revoked_at))) return 'revoked'
  if (isPast(key.expires_at)) return 'expired'
  return key.revoked_at === null ? 'active' : 'retiring'
}

/**
 * The view of a key. Its fields are written out in their order: a list makes a hundred views, and this takes a fifth of the time
 * of `inOrder`.
 */
export const toKeyView = (key: Readonly<KeyRecord>, now: Date): KeyView => ({
  id: key.id,
  name: key.name,
  key_type: key.key_type,
  prefix: key.prefix,
  scopes: key.scopes,
  environment: key.environment,
  federation_id: key.federation_id,
  model_id: key.model_id,
  app_id: key.app_id,
  allowed_origins: key.allowed_origins,
  allowed_app_ids: key.allowed_app_ids ?? [],
  rate_limit_per_minute: key.rate_limit_per_minute,
  state: keyState(key, now),
  created_at: key.created_at,
  created_by: actorView(key.created_by),
  expires_at: key.expires_at,
  last_used_at: key.last_used_at,
  revoked_at: key.revoked_at,
  revoked_reason: key.revoked_reason,
  rotated_from: key.rotated_from,
  rotated_to: key.rotated_to,
})

/** DynamoDB returns the members in any order. */
const actorView = ({ email, id, type }: Actor): Actor => (email === undefined ? { id, type } : { email, id, type })

/** When a key rotated now stops working: after the overlap, and never later than its own expiry. */
export function overlapEnd(key: Pick<KeyRecord, 'expires_at'>, overlapSeconds: number, now: Date): string {
  const end = new Date(now.getTime() + overlapSeconds * 1000).toISOString()
  return key.expires_at !== null && key.expires_at < end ? key.expires_at : end
}

/** The default limit of publishable keys, which are public. */
export const publishableRateLimitPerMinute = 60

/** The settings of a key. A rotation copies all of them to the new key. */
export interface KeyDefinition {
  name: string
  key_type: KeyType
  scopes: readonly KeyView['scopes'][number][]
  environment: Environment
  federation_id?: string | null | undefined
  model_id?: string | null | undefined
  app_id?: string | null | undefined
  allowed_origins?: readonly string[] | undefined
  allowed_app_ids?: readonly string[] | undefined
  rate_limit_per_minute?: number | null | undefined
  expires_at?: string | null | undefined
}
