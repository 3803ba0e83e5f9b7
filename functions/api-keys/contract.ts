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
import { patchBody } from '../../shared/http/patch.ts'
import { idSchema } from '../../shared/ids.ts'
import {
  introspectionBody,
  introspectionBodyOf,
  introspectionForm,
  introspectionSchema,
} from '../../shared/introspection/record.ts'
import { whoAmISchema } from '../../shared/introspection/who-am-i.ts'
import { lazy } from '../../shared/lazy.ts'
import { withoutKeys } from '../../shared/pasted-credentials.ts'
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
          'The raw key. Store it now: no later response contains it, and neither does an Idempotency-Key replay.',
      }),
    })
    .meta({ id: 'IssuedApiKey', description: 'A key record with the raw key. The raw key is returned once.' }),
)

const keyParams = lazy(() => z.object({ key_id: idSchema('key', 'Id of the key.') }))
const environmentField = lazy(() =>
  z.enum(environments).default('live').meta({
    description:
      'Production (`live`) or testing (`test`). Default: `live`. A test key can issue test keys only; its default is `test`.',
  }),
)
const expiryField = lazy(() =>
  futureInstantField()
    .nullable()
    .optional()
    .meta({ description: 'Future time at which the key expires, in ISO 8601 with an offset. null: never.' }),
)
const rateLimitField = lazy(() => z.int().min(1).max(100_000))
/** Scopes that a key type may hold. Duplicates count once. A list longer than the set of scopes is refused. */
const scopesField = <T extends Scope>(holdable: readonly T[]) =>
  z
    .array(z.enum(holdable))
    .min(1)
    .max(holdable.length)
    .transform((scopes) => [...new Set(scopes)])

const allowedAppIdsField = lazy(() =>
  z
    .array(referenceField())
    .max(50)
    .transform((ids) => [...new Set(ids)]),
)

export const createApiKey = operation({
  id: 'settings.api-keys.create',
  route: 'POST /api/v2/settings/api-keys',
  tag,
  scope: 'keys:write',
  summary: 'Create an org key',
  description:
    'Creates an org key with the given scopes. `api_key` contains the raw key and is returned once. You can grant only scopes that you hold. An organization has at most 1,000 usable keys of all types; above that: 409.',
  request: () => ({
    body: z.strictObject({
      name: nameField(),
      scopes: scopesField(keyTypeScopes.org).meta({
        description:
          'Scopes of the key, such as `keys:read`. GET /api/v2/settings/api-keys/scopes describes each scope.',
      }),
      environment: environmentField(),
      expires_at: expiryField(),
      federation_id: referenceField()
        .nullable()
        .optional()
        .meta({ description: 'Id of the key’s federation. Not validated. null: none.' }),
      model_id: referenceField()
        .nullable()
        .optional()
        .meta({ description: 'Id of the key’s model. Not validated. null: none.' }),
      rate_limit_per_minute: rateLimitField()
        .nullable()
        .optional()
        .meta({ description: `Maximum requests per minute. null: ${defaultRateLimitPerMinute}.` }),
      app_id: referenceField()
        .nullable()
        .optional()
        .meta({ description: 'Id of the key’s app. Not validated. null: none.' }),
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
  description: `Creates a key for server-side inference. The key is bound to one app and inherits that app's inference configuration. Its scopes are fixed: ${keyTypeScopes.app.join(', ')}. You must hold these scopes. \`api_key\` contains the raw key and is returned once.`,
  request: () => ({
    body: z.strictObject({
      name: nameField(),
      app_id: referenceField().meta({
        description: 'Id of the app that the key is bound to. Not validated.',
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
    'Creates a key for client-side SDKs, with limited scopes, a rate limit and optional allowed origins. `api_key` contains the raw key and is returned once.',
  request: () => ({
    body: z.strictObject({
      name: nameField(),
      environment: environmentField(),
      scopes: scopesField(keyTypeScopes.publishable)
        .default([...keyTypeScopes.publishable])
        .meta({ description: 'Scopes of the key. Default: every scope that a publishable key can hold.' }),
      allowed_origins: allowedOriginsField().default([]).meta({
        description:
          'Exact https origins, such as https://app.example.com. Test keys also accept http://localhost:<port> and http://localhost:*. Empty: any origin.',
      }),
      allowed_app_ids: allowedAppIdsField()
        .default([])
        .meta({ description: 'Ids of the apps that may use the key. Not validated. Empty: any app.' }),
      expires_at: expiryField(),
      rate_limit_per_minute: rateLimitField()
        .default(publishableRateLimitPerMinute)
        .meta({ description: 'Maximum requests per minute.' }),
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
  description: 'Lists the organization’s keys of every type and state, newest first. Raw keys are never returned.',
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
  description: 'Returns one key record.',
  request: () => ({
    params: keyParams(),
  }),
  answers: () => ({ 200: keyViewSchema() }),
  refusals: ['not_found'],
  access: readAccess,
})

export const updateApiKey = operation({
  id: 'settings.api-keys.update',
  route: 'PATCH /api/v2/settings/api-keys/{key_id}',
  tag,
  scope: 'keys:write',
  summary: 'Edit an API key',
  description:
    'Changes the given fields of an active key. The next request with the key sees the change. You can add only scopes that you hold. A revoked, retiring or expired key: 409.',
  request: () => ({
    params: keyParams(),
    body: patchBody({
      name: nameField(),
      expires_at: futureInstantField()
        .nullable()
        .meta({ description: 'Future time at which the key expires, in ISO 8601 with an offset. null: never.' }),
      rate_limit_per_minute: rateLimitField()
        .nullable()
        .meta({
          description: `Maximum requests per minute. null: the default of the key’s type, ${publishableRateLimitPerMinute} for publishable keys and ${defaultRateLimitPerMinute} for others.`,
        }),
      scopes: scopesField(keyTypeScopes.org).meta({
        description: 'Scopes of an org or publishable key. They replace the present ones.',
      }),
      allowed_origins: allowedOriginsField()
        .transform((origins) => [...new Set(origins)])
        .meta({ description: 'Origins of a publishable key. They replace the present ones. Empty: any origin.' }),
      allowed_app_ids: allowedAppIdsField().meta({
        description: 'Ids of the apps that may use a publishable key. They replace the present ones. Empty: any app.',
      }),
    }),
  }),
  answers: () => ({ 200: keyViewSchema() }),
  refusals: ['not_found', 'conflict'],
  access: changeAccess,
  audit: { action: 'api_key.updated', resource: 'api_key', param: 'key_id' },
})

export const revokeApiKey = operation({
  id: 'settings.api-keys.revoke',
  route: 'POST /api/v2/settings/api-keys/{key_id}/revoke',
  tag,
  scope: 'keys:write',
  summary: 'Revoke an API key',
  description:
    'Revokes the key: the next request that uses it is refused. Revoking a revoked key changes nothing and returns its record. Revoking a retiring key ends its overlap.',
  request: () => ({
    params: keyParams(),
    body: z.strictObject({
      reason: z.string().min(1).max(500).overwrite(withoutKeys).nullable().default(null).meta({
        description: 'Reason for the audit trail, which keeps only the prefix of a key in it. null: none given.',
      }),
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
    'Revokes the key and creates a replacement with the same configuration, in one transaction. `api_key` contains the new raw key and is returned once. With an overlap, the old key keeps working in state `retiring`, but never past its expiry. Of two concurrent rotations, exactly one succeeds.',
  request: () => ({
    params: keyParams(),
    body: z.strictObject({
      overlap_seconds: z
        .int()
        .min(0)
        .max(86_400)
        .default(0)
        .meta({ description: 'Seconds for which the old key keeps working.' }),
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
  orgMayBeAbsent: true,
  summary: 'Get the scope registry',
  description:
    'Returns every scope, the scopes that each key type and role may hold, and named templates. The same for every organization.',
  answers: () => ({
    200: z
      .object({
        registry_version: z.string().meta({ description: 'Changes when the registry changes.' }),
        scopes: z.array(scopeView()),
        key_types: z
          .record(z.enum([...keyTypes, 'service']), z.array(scopeField()))
          .meta({ description: '`service`: keys of the operator of the platform.' }),
        roles: z.record(z.string(), z.array(scopeField())),
        templates: z.array(z.object({ name: z.string(), description: z.string(), scopes: z.array(scopeField()) })),
      })
      .meta({ id: 'ScopeRegistry' }),
  }),
  published: [{ id: 'settings.api_keys.scopes', records: { answer: 'ApiKeyScopesResponse' }, wire: scopeRegistryView }],
  access: readAccess,
})

export const whoAmI = operation({
  id: 'settings.who-am-i',
  route: 'GET /api/v2/settings/whoami',
  tag,
  scope: 'any',
  orgMayBeAbsent: true,
  summary: 'Describe the credential',
  description:
    'Returns the organization and the principal of the request’s credential, its scopes, its end and its rate limit.',
  answers: () => ({ 200: whoAmISchema() }),
  access: readAccess,
})

export const introspectKey = operation({
  id: 'settings.api-keys.introspect',
  route: 'POST /api/v2/settings/api-keys/introspect',
  tag,
  scope: 'keys:introspect',
  orgMayBeAbsent: true,
  clientAuthentication: true,
  ignoresIdempotencyKey: true,
  withoutEvent: true,
  summary: 'Introspect an API key',
  description:
    'For services that are called with API keys: returns whether a key is usable, and what it may do (RFC 7662). You see the keys of your own organization; every other key is `unknown`. Service keys see all keys, and with `org_id` those of that organization. Also accepts a form, and HTTP Basic with the key as the password. A revocation shows in the next answer.',
  request: () => ({ body: introspectionBody() }),
  form: { schema: introspectionForm, toBody: introspectionBodyOf },
  answers: () => ({ 200: introspectionSchema() }),
  access: listAccess,
})
