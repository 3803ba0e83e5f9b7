/** Integrations: destinations for the platform's notifications and data. */
import * as z from 'zod'
import { changeAccess, deleteAccess, listAccess, readAccess } from '../../shared/access.ts'
import { eventPrefix } from '../../shared/audit/event-rows.ts'
import { deliverySchema, deliveryStatuses } from '../../shared/delivery/delivery.ts'
import { operation } from '../../shared/http/operation.ts'
import { pageOf, pageQuery } from '../../shared/http/page.ts'
import { idSchema } from '../../shared/ids.ts'
import {
  createIntegrationBody,
  integrationSchema,
  integrationSummarySchema,
  patchedIntegrationSchema,
  patchIntegrationBody,
} from '../../shared/integrations/record.ts'
import { lazy } from '../../shared/lazy.ts'
import type { BackgroundFunction } from '../../shared/runtime/background.ts'
import {
  integrationCreation,
  integrationDetail,
  integrationList,
  integrationUpdate,
  integrationValidation,
} from './wire.ts'

const tag = 'Integrations'
const params = lazy(() => z.object({ integration_id: idSchema('int', 'Id of the integration.') }))

export const createIntegration = operation({
  id: 'settings.create-integration',
  route: 'POST /api/v2/settings/integrations',
  tag,
  scope: 'integrations:write',
  summary: 'Create an integration',
  description:
    'Creates an enabled integration. You can complete `config` later: the fields you send must be valid, and *Validate an integration* lists missing fields. Type `webhook` requires plan team (402). An organization has at most 100 integrations.',
  request: () => ({ body: createIntegrationBody() }),
  answers: () => ({ 201: integrationSchema() }),
  published: [
    {
      id: 'settings.integrations.create',
      records: { request: 'CreateIntegrationRequest', answer: 'IntegrationResponse' },
      located: true,
      wire: integrationCreation,
    },
  ],
  refusals: ['conflict', 'plan_limit_reached'],
  access: { ...changeAccess, secrets: { action: 'encrypt', purpose: 'integration' } },
  audit: { action: 'integration.created', resource: 'integration' },
})

export const listIntegrations = operation({
  id: 'settings.list-integrations',
  route: 'GET /api/v2/settings/integrations',
  tag,
  scope: 'integrations:read',
  summary: 'List integrations',
  description: 'Summaries, newest first.',
  request: () => ({ query: z.object(pageQuery()) }),
  answers: () => ({ 200: pageOf(integrationSummarySchema()) }),
  published: [{ id: 'settings.integrations.list', records: { list: 'IntegrationResponse' }, wire: integrationList }],
  access: listAccess,
})

export const getIntegration = operation({
  id: 'settings.get-integration',
  route: 'GET /api/v2/settings/integrations/{integration_id}',
  tag,
  scope: 'integrations:read',
  summary: 'Get an integration',
  description: 'Returns one integration with its configuration. Secret fields are masked.',
  request: () => ({ params: params() }),
  answers: () => ({ 200: integrationSchema() }),
  published: [
    {
      id: 'settings.integrations.get',
      records: { answer: 'IntegrationDetailResponse' },
      notFound: 'integration_not_found',
      wire: integrationDetail,
    },
  ],
  refusals: ['not_found'],
  access: readAccess,
})

export const updateIntegration = operation({
  id: 'settings.update-integration',
  route: 'PATCH /api/v2/settings/integrations/{integration_id}',
  tag,
  scope: 'integrations:write',
  summary: 'Update an integration',
  description:
    'Changes `name`, `enabled` and fields of `config`. `config` is merged field by field; null clears a field. Unknown and read-only fields are ignored and listed in `ignored_fields`.',
  request: () => ({
    params: params(),
    body: patchIntegrationBody(),
  }),
  answers: () => ({ 200: patchedIntegrationSchema() }),
  published: [
    {
      id: 'settings.integrations.update',
      records: { request: 'UpdateIntegrationRequest', answer: 'IntegrationDetailResponse' },
      notFound: 'integration_not_found',
      wire: integrationUpdate,
    },
  ],
  refusals: ['not_found', 'plan_limit_reached'],
  access: { ...changeAccess, secrets: { action: 'encrypt', purpose: 'integration' } },
  audit: { action: 'integration.updated', resource: 'integration', param: 'integration_id' },
})

export const deleteIntegration = operation({
  id: 'settings.delete-integration',
  route: 'DELETE /api/v2/settings/integrations/{integration_id}',
  tag,
  scope: 'integrations:write',
  summary: 'Delete an integration',
  description: 'Deletes the integration and its secrets.',
  request: () => ({ params: params() }),
  answers: () => ({ 204: null }),
  published: [{ id: 'settings.integrations.delete', records: {}, notFound: 'integration_not_found' }],
  refusals: ['not_found'],
  access: deleteAccess,
  audit: { action: 'integration.deleted', resource: 'integration', param: 'integration_id' },
})

export const validateIntegration = operation({
  id: 'settings.validate-integration',
  route: 'POST /api/v2/settings/integrations/{integration_id}/validate',
  tag,
  scope: 'integrations:read',
  summary: 'Validate an integration',
  description:
    'Checks each field of the configuration, the plan and the mail sender, and suggests corrections. Sends nothing to the destination.',
  request: () => ({ params: params(), body: z.strictObject({}) }),
  bodyMayBeAbsent: true,
  withoutEvent: true,
  answers: () => ({
    200: z
      .object({
        valid: z.boolean(),
        checks: z.array(
          z.object({
            field: z.string(),
            level: z.enum(['ok', 'warning', 'error']),
            code: z.enum([
              'ok',
              'missing_field',
              'missing_recommended',
              'placeholder',
              'insecure_transport',
              'disabled',
              'plan_feature_missing',
              'no_mail_sender',
            ]),
            message: z.string(),
          }),
        ),
        live_connectivity: z.literal('not_tested'),
      })
      .meta({ id: 'IntegrationCheck' }),
  }),
  published: [
    {
      id: 'settings.integrations.validate',
      records: { answer: 'IntegrationTestResponse' },
      notFound: 'integration_not_found',
      wire: integrationValidation,
    },
  ],
  refusals: ['not_found'],
  access: { ...changeAccess, mail: 'check' },
})

const deliveryParams = () => z.object({ ...params().shape, delivery_id: idSchema('dlv', 'Id of the delivery.') })

export const testIntegration = operation({
  id: 'settings.test-integration',
  route: 'POST /api/v2/settings/integrations/{integration_id}/test',
  tag,
  scope: 'integrations:write',
  summary: 'Test an integration',
  description:
    'Sends the event `integration.test` now, once, to a disabled integration too. The event is in no list. If the endpoint refuses or fails, or the configuration is incomplete, returns `success: false` with the reason, not an error.',
  request: () => ({ params: params(), body: z.strictObject({}) }),
  bodyMayBeAbsent: true,
  withoutEvent: true,
  answers: () => ({
    200: z
      .object({
        success: z.boolean(),
        status_code: z.int().nullable().meta({ description: 'HTTP status of the answer. null: no answer.' }),
        latency_ms: z.int(),
        error: z.string().nullable(),
      })
      .meta({ id: 'IntegrationTest' }),
  }),
  refusals: ['not_found', 'plan_limit_reached'],
  access: { ...changeAccess, secrets: { action: 'decrypt', purpose: 'integration' }, internet: true, mail: 'send' },
  audit: { action: 'integration.tested', resource: 'integration', param: 'integration_id' },
})

export const listDeliveries = operation({
  id: 'settings.list-integration-deliveries',
  route: 'GET /api/v2/settings/integrations/{integration_id}/deliveries',
  tag,
  scope: 'integrations:read',
  summary: 'List deliveries',
  description:
    'Lists the events that were routed to the integration in the last 30 days, newest first, with every attempt.',
  request: () => ({
    params: params(),
    query: z.object({
      ...pageQuery(),
      status: z.enum(deliveryStatuses).optional().meta({ description: 'Only deliveries with this status.' }),
    }),
  }),
  answers: () => ({ 200: pageOf(deliverySchema()) }),
  refusals: ['not_found'],
  access: listAccess,
})

export const retryDelivery = operation({
  id: 'settings.retry-integration-delivery',
  route: 'POST /api/v2/settings/integrations/{integration_id}/deliveries/{delivery_id}/retry',
  tag,
  scope: 'integrations:write',
  summary: 'Retry a delivery',
  description:
    'Tries a delivery at once, a delivered one too. The schedule of a failed delivery does not start again. Answers before the attempt; list the deliveries for its result.',
  request: () => ({ params: deliveryParams(), body: z.strictObject({}) }),
  bodyMayBeAbsent: true,
  withoutEvent: true,
  answers: () => ({ 202: deliverySchema() }),
  refusals: ['not_found', 'conflict', 'plan_limit_reached'],
  access: { ...changeAccess, deliveries: 'send' },
  audit: { action: 'integration.delivery_retried', resource: 'integration', param: 'integration_id' },
})

/** Routes new events to integrations: a reader of the table's stream. */
export const routeEvents = {
  id: 'integrations.route',
  summary: 'Queues new audit events for the integrations that want them',
  trigger: { tableStream: { insertedSortKeys: eventPrefix } },
  timeoutSeconds: 60,
  access: { table: ['GetItem', 'Query', 'BatchGetItem', 'PutItem', 'UpdateItem'], deliveries: 'send', mail: 'check' },
} satisfies BackgroundFunction

/** Sends queued deliveries. */
export const sendDeliveries = {
  id: 'integrations.send',
  summary: 'Sends events to integrations',
  trigger: { queue: 'deliveries' },
  timeoutSeconds: 30,
  access: {
    table: ['GetItem', 'Query', 'PutItem', 'UpdateItem'],
    secrets: { action: 'decrypt', purpose: 'integration' },
    deliveries: 'receive',
    internet: true,
    mail: 'send',
  },
} satisfies BackgroundFunction
