/** Connections to cloud AI providers, with the organization's own keys, verified against the provider. */

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
    'Stores a provider and a key for it, and asks the provider for its models with that key at once. 201 whatever the provider says: `verification_status` tells, and `verification_error` why. An organization has at most 100.',
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
  description: 'Newest first, never with a key.',
  request: () => ({
    query: z.object({
      provider: providerField().optional().meta({ description: 'Only those of this provider.' }),
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
  description: 'One connection; its key is masked.',
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
    'Changes the fields that are in the body. A new `api_key` replaces the old one and is verified at once; a new `base_url` needs the `api_key` in the same request.',
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
  description: 'Asks the provider now. A provider that refuses or fails is a 502 with its reason.',
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
    'Asks the provider for its models now, an unbilled call, and keeps the verdict in the connection. A provider that refuses or fails is `success: false` with the reason, not an error.',
  request: () => ({ params: params(), body: z.strictObject({}) }),
  bodyMayBeAbsent: true,
  answers: () => ({
    200: z
      .object({
        success: z.boolean(),
        latency_ms: z.int(),
        status_code: z.int().nullable().meta({ description: 'The provider’s; null when nothing answered.' }),
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
