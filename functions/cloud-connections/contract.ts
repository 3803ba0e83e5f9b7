/** Connections to cloud AI providers with the organization's keys, verified against the provider. */
import * as z from 'zod'
import { changeAccess, deleteAccess, listAccess, readAccess } from '../../shared/access.ts'
import { connectionDefaults, connectionFields, connectionSchema } from '../../shared/cloud-connections/record.ts'
import { operation } from '../../shared/http/operation.ts'
import { pageOf, pageQuery } from '../../shared/http/page.ts'
import { patchBody } from '../../shared/http/patch.ts'
import { testVerdict } from '../../shared/http/published.ts'
import { idSchema } from '../../shared/ids.ts'
import { lazy } from '../../shared/lazy.ts'
import { createKeyFields, patchKeyFields } from '../../shared/providers/key-fields.ts'
import { providerField } from '../../shared/providers/providers.ts'
import { connectionCreation, connectionPatch, connectionView } from './wire.ts'

const tag = 'Cloud connections'
const scope = 'cloud:credentials'
const resource = 'cloud_connection'
const params = lazy(() => z.object({ connection_id: idSchema('conn', 'Id of the connection.') }))

const enabledField = lazy(() => z.boolean().meta({ description: 'Whether inference may use the connection.' }))

const createConnectionBody = lazy(() => {
  const { priority, weight, rpm_limit, tpm_limit } = connectionFields()
  return z.strictObject({
    ...createKeyFields(),
    enabled: enabledField().default(true),
    priority: priority.default(connectionDefaults.priority),
    weight: weight.default(connectionDefaults.weight),
    rpm_limit: rpm_limit.default(connectionDefaults.rpm_limit),
    tpm_limit: tpm_limit.default(connectionDefaults.tpm_limit),
  })
})

export const createConnection = operation({
  id: 'settings.create-cloud-connection',
  route: 'POST /api/v2/settings/cloud-connections',
  tag,
  scope,
  summary: 'Create a cloud connection',
  description:
    'Stores a provider and its key, then verifies the key by listing the provider’s models. Answers 201 even if verification fails: see `verification_status` and `verification_error`. An organization has at most 100 connections.',
  request: () => ({ body: createConnectionBody() }),
  answers: () => ({ 201: connectionSchema() }),
  published: [
    {
      id: 'settings.cloud_connections.create',
      records: { request: 'CreateConnectionRequest', answer: 'ConnectionResponse' },
      located: true,
      wire: connectionCreation,
    },
  ],
  refusals: ['conflict'],
  access: {
    ...changeAccess,
    secrets: { action: 'encrypt', purpose: resource },
    internet: true,
  },
  audit: { action: 'cloud_connection.created', resource },
})

export const listConnections = operation({
  id: 'settings.list-cloud-connections',
  route: 'GET /api/v2/settings/cloud-connections',
  tag,
  scope,
  summary: 'List cloud connections',
  description: 'Lists connections, newest first, without keys.',
  request: () => ({
    query: z.object({
      provider: providerField().optional().meta({ description: 'Only connections to this provider.' }),
      ...pageQuery(),
    }),
  }),
  answers: () => ({ 200: pageOf(connectionSchema()) }),
  published: [
    {
      id: 'settings.cloud_connections.list',
      records: { list: 'ConnectionResponse' },
      wire: connectionView,
    },
  ],
  access: listAccess,
})

export const getConnection = operation({
  id: 'settings.get-cloud-connection',
  route: 'GET /api/v2/settings/cloud-connections/{connection_id}',
  tag,
  scope,
  summary: 'Get a cloud connection',
  description: 'Returns one connection with its key masked.',
  request: () => ({ params: params() }),
  answers: () => ({ 200: connectionSchema() }),
  published: [
    {
      id: 'settings.cloud_connections.get',
      records: { answer: 'ConnectionResponse' },
      notFound: 'connection_not_found',
      wire: connectionView,
    },
  ],
  refusals: ['not_found'],
  access: readAccess,
})

export const updateConnection = operation({
  id: 'settings.update-cloud-connection',
  route: 'PATCH /api/v2/settings/cloud-connections/{connection_id}',
  tag,
  scope,
  summary: 'Update a cloud connection',
  description:
    'Changes the fields in the body. A new `api_key` replaces the stored key and is verified immediately. Changing `base_url` requires `api_key` in the same request, to prevent exfiltration of the key.',
  request: () => ({
    params: params(),
    body: patchBody({ ...patchKeyFields(), enabled: enabledField(), ...connectionFields() }),
  }),
  answers: () => ({ 200: connectionSchema() }),
  published: [
    {
      id: 'settings.cloud_connections.update',
      records: { request: 'UpdateConnectionRequest', answer: 'ConnectionResponse' },
      notFound: 'connection_not_found',
      wire: connectionPatch,
    },
  ],
  refusals: ['not_found'],
  access: {
    ...changeAccess,
    secrets: { action: 'encrypt', purpose: resource },
    internet: true,
  },
  audit: { action: 'cloud_connection.updated', resource, param: 'connection_id' },
})

export const deleteConnection = operation({
  id: 'settings.delete-cloud-connection',
  route: 'DELETE /api/v2/settings/cloud-connections/{connection_id}',
  tag,
  scope,
  summary: 'Delete a cloud connection',
  description: 'Deletes the connection and its key.',
  request: () => ({ params: params() }),
  answers: () => ({ 204: null }),
  published: [{ id: 'settings.cloud_connections.delete', records: {}, notFound: 'connection_not_found' }],
  refusals: ['not_found'],
  access: deleteAccess,
  audit: { action: 'cloud_connection.deleted', resource, param: 'connection_id' },
})

export const listConnectionModels = operation({
  id: 'settings.list-cloud-connection-models',
  route: 'GET /api/v2/settings/cloud-connections/{connection_id}/models',
  tag,
  scope,
  summary: 'List the models of a cloud connection',
  description:
    'Lists the provider’s models by calling the provider. If the provider refuses or fails: 502 with the reason.',
  request: () => ({ params: params() }),
  answers: () => ({ 200: z.object({ models: z.array(z.string()).meta({ description: 'Ids, sorted.' }) }) }),
  published: [
    {
      id: 'settings.cloud_connections.list_models',
      records: { answer: 'ConnectionModelsResponse' },
      notFound: 'connection_not_found',
    },
  ],
  refusals: ['not_found', 'upstream_error'],
  access: { ...readAccess, secrets: { action: 'decrypt', purpose: resource }, internet: true },
})

export const testConnection = operation({
  id: 'settings.test-cloud-connection',
  route: 'POST /api/v2/settings/cloud-connections/{connection_id}/test',
  tag,
  scope,
  summary: 'Test a cloud connection',
  description:
    'Lists the provider’s models, an unbilled call, and stores the result in the connection. If the provider refuses or fails, returns `success: false` with the reason, not an error.',
  request: () => ({ params: params(), body: z.strictObject({}) }),
  bodyMayBeAbsent: true,
  answers: () => ({
    200: z
      .object({
        success: z.boolean(),
        latency_ms: z.int(),
        status_code: z.int().nullable().meta({ description: 'HTTP status from the provider. null: no response.' }),
        model_count: z.int().nullable(),
        error: z.string().nullable(),
      })
      .meta({ id: 'CloudConnectionTest' }),
  }),
  published: [
    {
      id: 'settings.cloud_connections.test',
      records: { answer: 'TestConnectionResponse' },
      notFound: 'connection_not_found',
      wire: testVerdict,
    },
  ],
  refusals: ['not_found'],
  access: {
    ...changeAccess,
    secrets: { action: 'decrypt', purpose: resource },
    internet: true,
  },
  audit: { action: 'cloud_connection.tested', resource, param: 'connection_id' },
})
