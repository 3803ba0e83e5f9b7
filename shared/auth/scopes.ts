/**
 * The scope registry: all scopes, their bundles, and the scopes that each key type and role can hold. Published clients
 * fix the product scopes. Records store scopes as given; checks expand bundles.
 */
import { createHash } from 'node:crypto'

export const productScopes = {
  'catalog:read': 'Read the model catalog.',
  'models:read': 'Read models and download their artifacts.',
  'models:write': 'Publish, change and retire models.',
  'devices:register': 'Register a device.',
  'devices:heartbeat': "Report a device's heartbeat.",
  'control:refresh': 'Fetch desired state for a device or server.',
  'telemetry:write': 'Send telemetry and execution reports.',
  'rollouts:read': 'Read rollouts.',
  'rollouts:write': 'Start, change and stop rollouts.',
  'benchmarks:write': 'Submit benchmark results.',
  'evals:write': 'Submit evaluation results.',
  'cloud:inference': 'Call models in the cloud.',
  'cloud:credentials': 'Manage cloud provider connections and keys. Needs an org key, or the role owner or admin.',
} as const

export const controlScopes = {
  'keys:read': 'List and read API keys.',
  'keys:write': 'Create, rotate and revoke API keys.',
  'billing:read': 'Read plan, subscription and invoices.',
  'billing:write': 'Start checkouts and open the billing portal.',
  'billing:override': 'Override the plan outside Stripe. For the role owner only; no key can hold it.',
  'execution:read': 'Read local targets, routing and live health.',
  'execution:write': 'Change local targets and routing.',
  'settings:read': 'Read organization settings, policies and usage limits.',
  'settings:write': 'Change organization settings, policies and usage limits.',
  'auth:write': 'Change SSO, SCIM and the identity mode.',
  'integrations:read': 'Read and validate integrations.',
  'integrations:write': 'Create, change and delete integrations.',
  'audit:read': 'Read and verify the audit trail.',
  'keys:introspect': 'Ask whether a presented API key is usable, and what it may do.',
  'usage:read': 'Read recorded usage.',
  'usage:write': 'Record usage.',
} as const

type SingleScope = keyof typeof productScopes | keyof typeof controlScopes

const controlScopeNames = Object.keys(controlScopes) as (keyof typeof controlScopes)[]
const singleScopeNames = [...Object.keys(productScopes), ...controlScopeNames] as SingleScope[]

/** Scopes that no bundle includes: they must be granted by name. */
const unbundledScopes: readonly SingleScope[] = ['billing:override', 'keys:introspect', 'usage:write']

const bundles: Record<'admin:read' | 'admin:write', { description: string; scopes: readonly SingleScope[] }> = {
  'admin:read': {
    description: 'Every control-plane scope that reads.',
    scopes: controlScopeNames.filter((scope) => scope.endsWith(':read')),
  },
  'admin:write': {
    description: `Every control-plane scope, reading too, but ${unbundledScopes.join(', ')}.`,
    scopes: controlScopeNames.filter((scope) => !unbundledScopes.includes(scope)),
  },
}

export type Scope = SingleScope | keyof typeof bundles

export const scopeNames: readonly Scope[] = [...singleScopeNames, 'admin:read', 'admin:write']

/** Expands bundles to single scopes. */
export function expandScopes(scopes: Iterable<Scope>): Set<SingleScope> {
  const single = new Set<SingleScope>()
  for (const scope of scopes) {
    if (scope === 'admin:read' || scope === 'admin:write') for (const part of bundles[scope].scopes) single.add(part)
    else single.add(scope)
  }
  return single
}

/** The single scopes of `wanted` that `held` lacks, in the registry's order. */
export function missingScopes(wanted: Iterable<Scope>, held: Iterable<Scope>): Scope[] {
  return [...expandScopes(wanted).difference(expandScopes(held))]
}

export type KeyType = 'org' | 'app' | 'publishable'
export const keyTypes = ['org', 'app', 'publishable'] as const satisfies readonly KeyType[]

/** The scopes that a key of each type can hold. App keys have exactly these; the others choose from them. */
export const keyTypeScopes = {
  org: scopeNames.filter((scope) => scope !== 'billing:override'),
  app: ['catalog:read', 'models:read', 'cloud:inference', 'telemetry:write', 'control:refresh'],
  publishable: ['devices:register', 'devices:heartbeat', 'telemetry:write', 'models:read'],
} as const satisfies Record<KeyType, readonly Scope[]>

export type Role = 'owner' | 'admin' | 'member'

/** The scopes of a signed-in person, by role. */
export const roleScopes: Record<Role, readonly Scope[]> = {
  owner: scopeNames,
  admin: singleScopeNames.filter((scope) => scope !== 'billing:write' && scope !== 'billing:override'),
  member: ['keys:read', 'billing:read', 'execution:read', 'settings:read', 'integrations:read', 'usage:read'],
}

export const isRole = (value: unknown): value is Role => typeof value === 'string' && Object.hasOwn(roleScopes, value)

const templates: Record<string, { description: string; scopes: readonly Scope[] }> = {
  read_only: {
    description: 'Reads everything, changes nothing.',
    scopes: ['admin:read', 'catalog:read', 'models:read', 'rollouts:read'],
  },
  ci_deploy: {
    description: 'A pipeline that publishes models and rolls them out.',
    scopes: [
      'catalog:read',
      'models:read',
      'models:write',
      'rollouts:read',
      'rollouts:write',
      'benchmarks:write',
      'evals:write',
    ],
  },
  device_fleet: {
    description: 'Devices that register, report and fetch models.',
    scopes: ['devices:register', 'devices:heartbeat', 'control:refresh', 'telemetry:write', 'models:read'],
  },
  inference_server: {
    description: 'A server that runs inference and reports on it.',
    scopes: ['catalog:read', 'models:read', 'cloud:inference', 'control:refresh', 'telemetry:write', 'execution:read'],
  },
  full_admin: {
    description: 'Everything an org key may hold.',
    scopes: [
      'admin:write',
      'keys:introspect',
      'usage:write',
      ...(Object.keys(productScopes) as (keyof typeof productScopes)[]),
    ],
  },
}

/** The scopes of a named template. An unknown name is a programming error. */
export function templateScopes(name: string): readonly Scope[] {
  const template = templates[name]
  if (!template) throw new RangeError(`no scope template is named ${name}`)
  return template.scopes
}

interface ScopeView {
  scope: Scope
  group: string
  description: string
  includes: Scope[]
}

const describe = <Name extends Scope>(descriptions: Readonly<Record<Name, string>>, group: string): ScopeView[] =>
  (Object.keys(descriptions) as Name[]).map((scope) => ({
    scope,
    group,
    description: descriptions[scope],
    includes: [],
  }))

const views = {
  scopes: [
    ...describe(productScopes, 'product'),
    ...describe(controlScopes, 'control'),
    ...(Object.keys(bundles) as (keyof typeof bundles)[]).map(
      (scope): ScopeView => ({
        scope,
        group: 'bundle',
        description: bundles[scope].description,
        includes: [...bundles[scope].scopes],
      }),
    ),
  ],
  key_types: keyTypeScopes,
  roles: roleScopes,
  templates: Object.entries(templates).map(([name, template]) => ({ name, ...template })),
}

/** The registry as served. The version is a digest of the content, so it changes with every edit. */
export const scopeRegistry = {
  registry_version: createHash('sha256').update(JSON.stringify(views)).digest('hex').slice(0, 12),
  ...views,
}
