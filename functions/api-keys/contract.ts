/** API keys: org, app and publishable. */

import * as z from 'zod'
import { changeAccess, listAccess, readAccess } from '../../shared/access.ts'
import { allowedOriginsField } from '../../shared/api-keys/origins.ts'
import {
  environments,
  keyStates,
  keyViewSchema,
  publishableRateLimitPerMinute,
  scopeField,
} from '../../shared/api-keys/record.ts'
import { defaultRateLimitPerMinute } from '../../shared/auth/caller.ts'
import { keyTypeScopes, keyTypes, type Scope } from '../../shared/auth/scopes.ts'
import { futureInstantField, nameField, referenceField } from '../../shared/fields.ts'
import { operation } from '../../shared/http/operation.ts'
import { pageOf, pageQuery } from '../../shared/http/page.ts'
import { idSchema } from '../../shared/ids.ts'
import { lazy } from '../../shared/lazy.ts'
import {
  apiKeyCreation,
  apiKeyList,
  apiKeyRevocation,
  apiKeyRotation,
  appKeyCreation,
  olderKeyCreation,
  publishableKeyCreation,
  scopeRegistryView,
} from './wire.ts'

const tag = 'API keys'

const issuedKeySchema = lazy(() =>
  keyViewSchema()
    .extend({
      api_key: z.string().optional().meta({
        description:
          'The raw key, in this answer and never again: store it now. The replay of an Idempotency-Key leaves it out.',
      }),
    })
    .meta({ id: 'IssuedApiKey', description: 'A key record with the raw key, shown once.' }),
)

const keyParams = lazy(() => z.object({ key_id: idSchema('key', 'Id of the key.') }))
const environmentField = lazy(() =>
  z.enum(environments).default('live').meta({
    description:
      'What the key is for: production, or tests. Default: live; of a test key, which issues test keys only: test.',
  }),
)
const expiryField = lazy(() =>
  futureInstantField()
    .nullable()
    .optional()
    .meta({ description: 'When the key stops working, in the future, as ISO 8601 with an offset; null: never.' }),
)
const rateLimitField = lazy(() => z.int().min(1).max(100_000))
/** Scopes that a key of a type may hold. Repeated ones count once; a list of more than there are is refused. */
const scopesField = <T extends Scope>(holdable: readonly T[]) =>
  z
    .array(z.enum(holdable))
    .min(1)
    .max(holdable.length)
    .transform((scopes) => [...new Set(scopes)])

export const createApiKey = operation({
  id: 'settings.api-keys.create',
  route: 'POST /api/v2/settings/api-keys',
  tag,
  scope: 'keys:write',
  summary: 'Create an org key',
  description:
    'Creates an org key with the given scopes. The raw key is in `api_key`, this once. A caller can grant only scopes that it holds. An organization has at most 1,000 usable keys of all types (409).',
  request: () => ({
    body: z.strictObject({
      name: nameField(),
      scopes: scopesField(keyTypeScopes.org).meta({
        description: 'What the key may do, such as `keys:read`; GET /api/v2/settings/api-keys/scopes explains each.',
      }),
      environment: environmentField(),
      expires_at: expiryField(),
      federation_id: referenceField()
        .nullable()
        .optional()
        .meta({ description: 'Id of the federation that the key is for, which is not checked here; null: none.' }),
      model_id: referenceField()
        .nullable()
        .optional()
        .meta({ description: 'Id of the model that the key is for, which is not checked here; null: none.' }),
      rate_limit_per_minute: rateLimitField()
        .nullable()
        .optional()
        .meta({ description: `Requests a minute that the key may make; null: ${defaultRateLimitPerMinute}.` }),
      app_id: referenceField()
        .nullable()
        .optional()
        .meta({ description: 'Id of the app that the key is for, which is not checked here; null: none.' }),
    }),
  }),
  answers: () => ({ 201: issuedKeySchema() }),
  published: [
    {
      id: 'settings.api_keys.create',
      records: { request: 'CreateApiKeyRequest', answer: 'CreateApiKeyResponse' },
      wire: apiKeyCreation,
    },
    {
      id: 'api_keys.create',
      route: 'POST /api/v1/api-keys',
      records: { answer: 'CreateApiKeyResponse' },
      wire: olderKeyCreation,
    },
  ],
  refusals: ['conflict'],
  access: { table: ['GetItem', 'Query', 'PutItem', 'UpdateItem'] },
  audit: { action: 'api_key.created', resource: 'api_key' },
})

export const createAppKey = operation({
  id: 'settings.app-keys.create',
  route: 'POST /api/v2/settings/app-keys',
  tag,
  scope: 'keys:write',
  summary: 'Create an app key',
  description: `Creates a key for server-side inference that is bound to one app and inherits the app's inference configuration. Its scopes are fixed: ${keyTypeScopes.app.join(', ')}; the caller must hold them. The raw key is in \`api_key\`, this once.`,
  request: () => ({
    body: z.strictObject({
      name: nameField(),
      app_id: referenceField().meta({
        description: 'Id of the app that the key is bound to, which is not checked here.',
      }),
      environment: environmentField(),
      expires_at: expiryField(),
    }),
  }),
  answers: () => ({ 201: issuedKeySchema() }),
  published: [
    {
      id: 'settings.app_keys.create',
      records: { request: 'CreateAppKeyRequest', answer: 'CreateAppKeyResponse' },
      wire: appKeyCreation,
    },
  ],
  refusals: ['conflict'],
  access: { table: ['GetItem', 'Query', 'PutItem', 'UpdateItem'] },
  audit: { action: 'api_key.created', resource: 'api_key' },
})

export const createPublishableKey = operation({
  id: 'settings.publishable-keys.create',
  route: 'POST /api/v2/settings/publishable-keys',
  tag,
  scope: 'keys:write',
  summary: 'Create a publishable key',
  description:
    'Creates a key for client-side SDKs, with few scopes, a rate limit, and origins that it may be bound to. The raw key is in `api_key`, this once.',
  request: () => ({
    body: z.strictObject({
      name: nameField(),
      environment: environmentField(),
      scopes: scopesField(keyTypeScopes.publishable)
        .default([...keyTypeScopes.publishable])
        .meta({ description: 'What the key may do. Default: all that a publishable key can.' }),
      allowed_origins: allowedOriginsField().default([]).meta({
        description:
          'Exact https origins, like https://app.example.com; for test keys also http://localhost:<port> or http://localhost:*. Empty: any origin.',
      }),
      allowed_app_ids: z
        .array(referenceField())
        .max(50)
        .default([])
        .transform((ids) => [...new Set(ids)])
        .meta({ description: 'Ids of the apps that may use the key, which are not checked here; empty: any.' }),
      expires_at: expiryField(),
      rate_limit_per_minute: rateLimitField()
        .default(publishableRateLimitPerMinute)
        .meta({ description: 'Requests a minute that the key may make.' }),
    }),
  }),
  answers: () => ({ 201: issuedKeySchema() }),
  published: [
    {
      id: 'settings.publishable_keys.create',
      records: { request: 'CreatePublishableKeyRequest', answer: 'CreatePublishableKeyResponse' },
      wire: publishableKeyCreation,
    },
  ],
  refusals: ['conflict'],
  access: { table: ['GetItem', 'Query', 'PutItem', 'UpdateItem'] },
  audit: { action: 'api_key.created', resource: 'api_key' },
})

export const listApiKeys = operation({
  id: 'settings.api-keys.list',
  route: 'GET /api/v2/settings/api-keys',
  tag,
  scope: 'keys:read',
  summary: 'List API keys',
  description:
    'Every key of the organization, of every type and in every state, newest first. Raw keys are never shown.',
  request: () => ({
    query: z.object({
      ...pageQuery(),
      key_type: z.enum(keyTypes).optional().meta({ description: 'Only keys of this type.' }),
      state: z.enum(keyStates).optional().meta({ description: 'Only keys in this state.' }),
      environment: z.enum(environments).optional().meta({ description: 'Only keys of this environment.' }),
    }),
  }),
  answers: () => ({ 200: pageOf(keyViewSchema()) }),
  published: [
    { id: 'settings.api_keys.list', records: { list: 'ApiKeyResponse' }, wire: apiKeyList },
    { id: 'api_keys.list', route: 'GET /api/v1/api-keys', records: { list: 'ApiKeyResponse' }, wire: apiKeyList },
  ],
  access: listAccess,
})

export const getApiKey = operation({
  id: 'settings.api-keys.get',
  route: 'GET /api/v2/settings/api-keys/{key_id}',
  tag,
  scope: 'keys:read',
  summary: 'Get an API key',
  description: 'One key record.',
  request: () => ({
    params: keyParams(),
  }),
  answers: () => ({ 200: keyViewSchema() }),
  refusals: ['not_found'],
  access: readAccess,
})

export const revokeApiKey = operation({
  id: 'settings.api-keys.revoke',
  route: 'POST /api/v2/settings/api-keys/{key_id}/revoke',
  tag,
  scope: 'keys:write',
  summary: 'Revoke an API key',
  description:
    'The very next request with the key is refused. Revoking a revoked key answers its record and changes nothing; revoking a retiring key ends its overlap.',
  request: () => ({
    params: keyParams(),
    body: z.strictObject({
      reason: z
        .string()
        .min(1)
        .max(500)
        .nullable()
        .default(null)
        .meta({ description: 'Why, for the audit trail; null: not told.' }),
    }),
  }),
  bodyMayBeAbsent: true,
  answers: () => ({ 200: keyViewSchema() }),
  published: [
    {
      id: 'settings.api_keys.revoke',
      records: { answer: 'ApiKeyResponse' },
      notFound: 'api_key_not_found',
      wire: apiKeyRevocation,
    },
    {
      id: 'api_keys.revoke',
      route: 'POST /api/v1/api-keys/{key_id}/revoke',
      records: { answer: 'ApiKeyResponse' },
      notFound: 'api_key_not_found',
      wire: apiKeyRevocation,
    },
  ],
  refusals: ['not_found'],
  access: changeAccess,
  audit: { action: 'api_key.revoked', resource: 'api_key', param: 'key_id' },
})

export const rotateApiKey = operation({
  id: 'settings.api-keys.rotate',
  route: 'POST /api/v2/settings/api-keys/{key_id}/rotate',
  tag,
  scope: 'keys:write',
  summary: 'Rotate an API key',
  description:
    'Revokes the key and creates its replacement with the same configuration, in one transaction. The new raw key is in `api_key`, this once. With an overlap the old key goes on working as `retiring`, never past its own expiry. Of two rotations at once exactly one wins.',
  request: () => ({
    params: keyParams(),
    body: z.strictObject({
      overlap_seconds: z
        .int()
        .min(0)
        .max(86_400)
        .default(0)
        .meta({ description: 'Seconds that the old key goes on working.' }),
    }),
  }),
  bodyMayBeAbsent: true,
  answers: () => ({ 201: issuedKeySchema() }),
  published: [
    {
      id: 'settings.api_keys.rotate',
      records: { answer: 'CreateApiKeyResponse' },
      notFound: 'api_key_not_found',
      wire: apiKeyRotation,
    },
  ],
  refusals: ['not_found', 'conflict'],
  access: { table: ['GetItem', 'Query', 'PutItem', 'UpdateItem'] },
  audit: { action: 'api_key.rotated', resource: 'api_key', param: 'key_id' },
})

const scopeView = lazy(() =>
  z.object({
    scope: scopeField(),
    group: z.string(),
    description: z.string(),
    includes: z.array(z.string()),
  }),
)

export const listScopes = operation({
  id: 'settings.api-keys.scopes',
  route: 'GET /api/v2/settings/api-keys/scopes',
  tag,
  scope: 'any',
  summary: 'Get the scope registry',
  description:
    'Every scope, what each key type and role may hold, and named templates. The same for every organization.',
  answers: () => ({
    200: z
      .object({
        registry_version: z.string().meta({ description: 'Changes whenever the registry does.' }),
        scopes: z.array(scopeView()),
        key_types: z.record(z.enum(keyTypes), z.array(scopeField())),
        roles: z.record(z.string(), z.array(scopeField())),
        templates: z.array(z.object({ name: z.string(), description: z.string(), scopes: z.array(scopeField()) })),
      })
      .meta({ id: 'ScopeRegistry' }),
  }),
  published: [{ id: 'settings.api_keys.scopes', records: { answer: 'ApiKeyScopesResponse' }, wire: scopeRegistryView }],
  access: readAccess,
})
