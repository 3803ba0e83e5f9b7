/** Execution: local runtimes, routing, and the live health of every target. */

import * as z from 'zod'
import { changeAccess, deleteAccess, listAccess, readAccess } from '../../shared/access.ts'
import { cloudTargetSchema } from '../../shared/execution/cloud-target.ts'
import {
  createLocalTargetBody,
  localTargetSchema,
  patchLocalTargetFields,
  targetIdField,
} from '../../shared/execution/local-target.ts'
import { executionHealthSchema, reportsBody } from '../../shared/execution/report.ts'
import { routingFields, routingSchema } from '../../shared/execution/routing.ts'
import { operation } from '../../shared/http/operation.ts'
import { pageOf, pageQuery } from '../../shared/http/page.ts'
import { patchBody } from '../../shared/http/patch.ts'
import { testVerdict } from '../../shared/http/published.ts'
import { lazy } from '../../shared/lazy.ts'
import {
  executionView,
  healthView,
  localTargetCreation,
  localTargetList,
  localTargetPatch,
  routingPatch,
} from './wire.ts'

const tag = 'Execution'
const base = '/api/v2/settings/execution'
const resource = 'local_target'
const params = lazy(() => z.object({ target_id: targetIdField() }))

export const getExecution = operation({
  id: 'settings.get-execution',
  route: `GET ${base}`,
  tag,
  scope: 'execution:read',
  summary: 'Get the execution configuration',
  description:
    'Returns all local targets, connections and credentials, and the routing. `eligible` says whether inference may use a target under the cloud policy, with the reason if not.',
  answers: () => ({
    200: z
      .object({
        local_targets: z.array(localTargetSchema()),
        cloud_targets: z.array(cloudTargetSchema()),
        routing: routingSchema(),
      })
      .meta({ id: 'Execution' }),
  }),
  published: [
    {
      id: 'settings.execution.get',
      records: { answer: 'ExecutionConfigResponse' },
      wire: executionView,
    },
  ],
  access: listAccess,
})

export const getExecutionHealth = operation({
  id: 'settings.get-execution-health',
  route: `GET ${base}/health`,
  tag,
  scope: 'execution:read',
  summary: 'Get live health',
  description:
    'Returns the rates over the window, requests in flight, cooldown and last verification of every target. Inference servers report these values.',
  answers: () => ({ 200: executionHealthSchema() }),
  published: [
    {
      id: 'settings.execution.get_health',
      records: { answer: 'ExecutionHealthResponse' },
      wire: healthView,
    },
  ],
  access: listAccess,
})

export const reportExecution = operation({
  id: 'settings.report-execution',
  route: `POST ${base}/reports`,
  tag,
  scope: 'telemetry:write',
  summary: 'Report on targets',
  description:
    'Reports a server’s request counts since its last report, which are added, and its requests in flight. A batch is counted completely or not at all.',
  request: () => ({ body: reportsBody() }),
  answers: () => ({ 202: z.object({ accepted: z.int().meta({ description: 'Number of reports counted.' }) }) }),
  refusals: ['conflict', 'not_found'],
  withoutEvent: true,
  access: { table: ['BatchGetItem', 'GetItem', 'PutItem', 'Query', 'UpdateItem'] },
})

export const createLocalTarget = operation({
  id: 'settings.create-local-target',
  route: `POST ${base}/local-targets`,
  tag,
  scope: 'execution:write',
  summary: 'Create a local target',
  description: 'Registers a self-hosted inference runtime. An organization has at most 200 local targets.',
  request: () => ({ body: createLocalTargetBody() }),
  answers: () => ({ 201: localTargetSchema() }),
  published: [
    {
      id: 'settings.execution.create_local_target',
      records: { request: 'CreateLocalRuntimeRequest', answer: 'LocalTargetResponse' },
      wire: localTargetCreation,
    },
  ],
  refusals: ['conflict'],
  access: { ...changeAccess, secrets: { action: 'encrypt', purpose: resource } },
  audit: { action: 'local_target.created', resource },
})

export const listLocalTargets = operation({
  id: 'settings.list-local-targets',
  route: `GET ${base}/local-targets`,
  tag,
  scope: 'execution:read',
  summary: 'List local targets',
  description:
    'Lists local targets, newest first, including disabled ones. If the deployment sets `LOCAL_RUNTIME_URL`, the first page starts with that runtime: `id: "env"`, read-only, not counted by `limit`.',
  request: () => ({ query: z.object(pageQuery()) }),
  answers: () => ({ 200: pageOf(localTargetSchema()) }),
  published: [
    {
      id: 'settings.execution.list_local_targets',
      records: { list: 'LocalTargetResponse' },
      wire: localTargetList,
    },
  ],
  access: listAccess,
})

export const getLocalTarget = operation({
  id: 'settings.get-local-target',
  route: `GET ${base}/local-targets/{target_id}`,
  tag,
  scope: 'execution:read',
  summary: 'Get a local target',
  description: 'Returns one target with its API key masked.',
  request: () => ({ params: params() }),
  answers: () => ({ 200: localTargetSchema() }),
  refusals: ['not_found'],
  access: readAccess,
})

export const updateLocalTarget = operation({
  id: 'settings.update-local-target',
  route: `PATCH ${base}/local-targets/{target_id}`,
  tag,
  scope: 'execution:write',
  summary: 'Update a local target',
  description:
    'Changes the fields in the body. If a key is stored, changing `endpoint` requires `api_key` in the same request, to prevent exfiltration. `api_key: null` deletes the key.',
  request: () => ({ params: params(), body: patchBody(patchLocalTargetFields()) }),
  answers: () => ({ 200: localTargetSchema() }),
  published: [
    {
      id: 'settings.execution.update_local_target',
      records: { request: 'UpdateLocalRuntimeRequest', answer: 'LocalTargetResponse' },
      notFound: 'local_runtime_not_found',
      wire: localTargetPatch,
    },
  ],
  refusals: ['not_found', 'conflict'],
  access: { ...changeAccess, secrets: { action: 'encrypt', purpose: resource } },
  audit: { action: 'local_target.updated', resource, param: 'target_id' },
})

export const deleteLocalTarget = operation({
  id: 'settings.delete-local-target',
  route: `DELETE ${base}/local-targets/{target_id}`,
  tag,
  scope: 'execution:write',
  summary: 'Delete a local target',
  description: 'Deletes the target and its key. The deployment’s runtime (`env`) cannot be deleted: 409.',
  request: () => ({ params: params() }),
  answers: () => ({ 204: null }),
  published: [{ id: 'settings.execution.delete_local_target', records: {}, notFound: 'local_runtime_not_found' }],
  refusals: ['not_found', 'conflict'],
  access: deleteAccess,
  audit: { action: 'local_target.deleted', resource, param: 'target_id' },
})

export const testLocalTarget = operation({
  id: 'settings.test-local-target',
  route: `POST ${base}/local-targets/{target_id}/test`,
  tag,
  scope: 'execution:write',
  summary: 'Test a local target',
  description:
    'Requests the runtime’s models (ollama: /api/tags, tgi: /info, others: /v1/models) and stores the result in the target. If the runtime refuses, fails or may not be called, returns `success: false` with the reason, not an error.',
  request: () => ({ params: params(), body: z.strictObject({}) }),
  bodyMayBeAbsent: true,
  withoutEvent: true,
  answers: () => ({
    200: z
      .object({
        success: z.boolean(),
        latency_ms: z.int(),
        status_code: z.int().nullable().meta({ description: 'HTTP status from the runtime. null: no response.' }),
        error: z.string().nullable(),
      })
      .meta({ id: 'LocalTargetTest' }),
  }),
  published: [
    {
      id: 'settings.execution.test_local_target',
      records: { answer: 'TestConnectionResponse' },
      notFound: 'local_runtime_not_found',
      wire: testVerdict,
    },
  ],
  refusals: ['not_found'],
  access: {
    ...changeAccess,
    secrets: { action: 'decrypt', purpose: resource },
    internet: true,
  },
})

export const getRouting = operation({
  id: 'settings.get-routing',
  route: `GET ${base}/routing`,
  tag,
  scope: 'execution:read',
  summary: 'Get the routing',
  description: 'Returns how inference chooses a target, and how long it skips a failing target.',
  answers: () => ({ 200: routingSchema() }),
  access: readAccess,
})

export const updateRouting = operation({
  id: 'settings.update-routing',
  route: `PATCH ${base}/routing`,
  tag,
  scope: 'execution:write',
  summary: 'Update the routing',
  description: 'Changes the fields in the body.',
  request: () => ({ body: patchBody(routingFields()) }),
  answers: () => ({ 200: routingSchema() }),
  published: [
    {
      id: 'settings.execution.update_routing',
      records: { request: 'UpdateRoutingRequest', answer: 'UpdateRoutingResponse' },
      wire: routingPatch,
    },
  ],
  access: changeAccess,
  audit: { action: 'routing.updated', resource: 'routing' },
})
