/** API keys in the records of the published contract. */
import * as z from 'zod'
import { type KeyView, publishableRateLimitPerMinute } from '../../shared/api-keys/record.ts'
import { type KeyType, keyTypeScopes, keyTypes, type Scope, type scopeRegistry } from '../../shared/auth/scopes.ts'
import { named, optional, publishedName, wire } from '../../shared/http/published.ts'
import { lazy } from '../../shared/lazy.ts'
import { invalidInput, ProblemError } from '../../shared/problem.ts'

const publishedTypes = { org: 'org_key', app: 'app_key', publishable: 'publishable_key' } as const

const asMap = (scopes: readonly string[]): Record<string, true> =>
  Object.fromEntries(scopes.map((scope) => [scope, true as const]))

const names = {
  rate_limit_per_minute: 'rate_limit_rpm',
  expires_at: 'expires_in_days',
}

const toApiKey = (key: KeyView, { orgId }: { orgId: string }) => ({
  id: key.id,
  org_id: orgId,
  name: key.name,
  key_type: publishedTypes[key.key_type],
  prefix: key.prefix,
  scopes: asMap(key.scopes),
  is_active: key.state === 'active' || key.state === 'retiring',
  environment: key.environment,
  app_id: key.app_id,
  allowed_app_ids: key.allowed_app_ids,
  allowed_origins: key.allowed_origins,
  rate_limit_rpm: key.rate_limit_per_minute,
  federation_id: key.federation_id,
  model_id: key.model_id,
  last_used_at: key.last_used_at,
  revoked_at: key.revoked_at,
  created_at: key.created_at,
})

/** A replay has no secret, but the published record requires the member. */
const toCreatedKey = (key: KeyView, { orgId, once }: { orgId: string; once: Readonly<Record<string, string>> }) => ({
  id: key.id,
  org_id: orgId,
  name: key.name,
  prefix: key.prefix,
  scopes: asMap(key.scopes),
  app_id: key.app_id,
  federation_id: key.federation_id,
  model_id: key.model_id,
  last_used_at: key.last_used_at,
  revoked_at: key.revoked_at,
  created_at: key.created_at,
  api_key: once.api_key ?? '',
})

export const apiKeyList = lazy(() => wire({ query: z.object({ cursor: z.string().optional() }), toAnswer: toApiKey }))

/** The published contract counts whole days. The maximum is a hundred years. */
const maxDays = 36_525

export const apiKeyCreation = lazy(() =>
  wire({
    body: z.strictObject({
      name: publishedName(),
      scopes: z.array(z.string()).min(1),
      expires_in_days: optional(z.int().min(1).max(maxDays)),
      app_id: optional(z.string()),
    }),
    names,
    toInput: ({ expires_in_days, ...rest }, { now }) => ({
      ...named(rest),
      ...(expires_in_days ? { expires_at: new Date(now.getTime() + expires_in_days * 86_400_000).toISOString() } : {}),
    }),
    toAnswer: toCreatedKey,
  }),
)

/** Meaning of the older client's empty map. */
const defaultScopes: readonly Scope[] = ['catalog:read', 'models:read']

/** The older client names scopes as `"models:read": true` or as `"models": "read"`. */
function scopesOf(map: Readonly<Record<string, unknown>>): string[] {
  const entries = Object.entries(map).flatMap(([name, value]): string[] => {
    if (value === true) return [name]
    if (value === false) return []
    const permissions = Array.isArray(value) ? value : [value]
    return permissions.map((permission) => {
      if (typeof permission === 'string') return `${name}:${permission}`
      throw invalidInput([
        { path: `scopes.${name}`, code: 'invalid_type', message: 'must be true, or a permission such as "read"' },
      ])
    })
  })
  return entries.length > 0 ? [...new Set(entries)] : [...defaultScopes]
}

/** @throws ProblemError `forbidden` when the body names another organization */
export const olderKeyCreation = lazy(() =>
  wire({
    body: z.strictObject({
      org_id: optional(z.string()),
      name: publishedName(),
      scopes: z.record(z.string(), z.unknown()).default({}),
    }),
    toInput: ({ org_id, name, scopes }, { orgId }) => {
      if (org_id && org_id !== orgId) {
        throw new ProblemError('forbidden', 'org_id names an organization that the credential does not belong to.')
      }
      return { name, scopes: scopesOf(scopes) }
    },
    toAnswer: toCreatedKey,
  }),
)

export const appKeyCreation = lazy(() =>
  wire({
    body: z.strictObject({
      name: publishedName(),
      app_id: z.string().min(1).max(36),
      environment: optional(z.enum(['live', 'test'])),
    }),
    toInput: named,
    toAnswer: (key: KeyView, { orgId, once }) => ({
      key: once.api_key ?? '',
      key_id: key.id,
      org_id: orgId,
      name: key.name,
      app_id: key.app_id,
      environment: key.environment,
      scopes: key.scopes,
    }),
  }),
)

export const publishableKeyCreation = lazy(() =>
  wire({
    body: z.strictObject({
      name: publishedName(),
      environment: optional(z.enum(['live', 'test'])),
      allowed_app_ids: optional(z.array(z.string())),
      allowed_origins: optional(z.array(z.string())),
      scopes: optional(z.array(z.string())),
      rate_limit_rpm: optional(z.int().min(1).max(10_000)),
    }),
    names,
    toInput: ({ rate_limit_rpm, ...rest }) => named({ ...rest, rate_limit_per_minute: rate_limit_rpm }),
    toAnswer: (key: KeyView, { orgId, once }) => ({
      key: once.api_key ?? '',
      key_id: key.id,
      org_id: orgId,
      name: key.name,
      environment: key.environment,
      scopes: key.scopes,
      allowed_app_ids: key.allowed_app_ids,
      allowed_origins: key.allowed_origins,
      rate_limit_rpm: key.rate_limit_per_minute ?? publishableRateLimitPerMinute,
    }),
  }),
)

/** @throws ProblemError `conflict` when the key was revoked before */
export const apiKeyRevocation = lazy(() =>
  wire({
    toAnswer: (key: KeyView, context) => {
      if (!context.unchanged) return toApiKey(key, context)
      throw new ProblemError('conflict', 'The key was revoked before.', { published: 'api_key_already_revoked' })
    },
  }),
)

export const apiKeyRotation = lazy(() => wire({ toAnswer: toCreatedKey }))

/** Scopes that an operation of this service requires; a test compares them with the contracts. */
const isEnforced = ({ scope, group }: { scope: string; group: string }): boolean =>
  group === 'control' || scope === 'cloud:credentials' || scope === 'telemetry:write'

const groupTexts: Readonly<Record<string, { label: string; description: string }>> = {
  product: { label: 'Product', description: 'Models, devices, telemetry and inference.' },
  control: { label: 'Control plane', description: 'Settings, keys, billing and audit of the organization.' },
  bundle: { label: 'Bundles', description: 'Several control-plane scopes under one name.' },
}

function groupsFor(registry: ReturnType<typeof scopeRegistry>, type: KeyType) {
  const eligible = registry.scopes.filter(({ scope }) => (keyTypeScopes[type] as readonly string[]).includes(scope))
  const byGroup = Map.groupBy(eligible, ({ group }) => group)
  return {
    groups: Object.fromEntries(
      [...byGroup].map(([group, scopes]) => [
        group,
        { ...(groupTexts[group] ?? { label: group, description: '' }), scopes: scopes.map(({ scope }) => scope) },
      ]),
    ),
  }
}

const eligibleTypes = (scope: string): string[] =>
  keyTypes
    .filter((type) => (keyTypeScopes[type] as readonly string[]).includes(scope))
    .map((type) => publishedTypes[type])

export const scopeRegistryView = lazy(() =>
  wire({
    toAnswer: (registry: ReturnType<typeof scopeRegistry>) => ({
      scopes: Object.fromEntries(
        registry.scopes.map((view) => [
          view.scope,
          {
            category: view.group,
            description: view.description,
            status: isEnforced(view) ? 'enforced' : 'recognized',
            eligible_key_types: eligibleTypes(view.scope),
          },
        ]),
      ),
      org_key: groupsFor(registry, 'org'),
      publishable_key: groupsFor(registry, 'publishable'),
      app_key: groupsFor(registry, 'app'),
      templates: Object.fromEntries(
        registry.templates.map(({ name, description, scopes }) => [name, { description, scopes }]),
      ),
    }),
  }),
)
