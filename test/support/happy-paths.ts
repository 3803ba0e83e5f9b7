/** For each operation a request that succeeds, so that suites that walk the operations can reach their handlers. */
import type { OperationName } from '../../functions/operations.ts'
import { newDelivery } from '../../shared/delivery/delivery.ts'
import { billingOf } from './billing.ts'
import { invoke, type Request } from './invoke.ts'
import { makeKey, type TestOrg } from './orgs.ts'
import { startProvider, type TestProvider } from './provider.ts'
import { deleteRow, putRow } from './rows.ts'
import { delivery, stripeEvent } from './stripe-events.ts'

/** Creates the resources that the request needs, and the request. The sender adds the token. */
type HappyPath = (org: TestOrg) => Promise<Pick<Request, 'params' | 'query' | 'body' | 'rawBody' | 'headers'>>

const nothingNeeded: HappyPath = async () => ({})
/** Without a count of keys, the next issue counts them. */
const recounting =
  (path: HappyPath): HappyPath =>
  async (org) => {
    const request = await path(org)
    await deleteRow({ pk: `ORG#${org.orgId}`, sk: 'COUNT#KEY#' })
    return request
  }
const onNewKey: HappyPath = async (org) => ({ params: { key_id: (await makeKey(org)).id } })

const slack = {
  type: 'slack',
  name: 'alerts',
  config: { webhook_url: 'https://hooks.slack.com/services/T0AAAAAAA/B0AAAAAAA/abcdefghijkl', channel: '#alerts' },
}
const onNewIntegration: HappyPath = async ({ adminKey }) => {
  const { body } = await invoke('integrations/create', { token: adminKey, body: slack })
  return { params: { integration_id: body.id } }
}

/** Called by its test: a receiver on loopback, with a secret. */
const onNewReceiver: HappyPath = async ({ adminKey }) => {
  const { base_url: endpoint } = await connection()
  const config = { endpoint, protocol: 'http/json', headers: { 'api-key': 'otlp-happy-path-0123456789' } }
  const { body } = await invoke('integrations/create', {
    token: adminKey,
    body: { type: 'opentelemetry', name: 'logs', config },
  })
  return { params: { integration_id: body.id } }
}
const onNewDelivery: HappyPath = async (org) => {
  const { params } = await onNewIntegration(org)
  const ref = {
    org_id: org.orgId,
    integration_id: params?.integration_id ?? '',
    event_id: 'aud_01jd3v7k3q9x5m2n8r4t6w0y1z',
    delivery_id: 'dlv_01jd3v7k3q9x5m2n8r4t6w0y1z',
  }
  await putRow(newDelivery(ref, 'api_key.created', new Date(), Date.now()))
  return { params: { integration_id: ref.integration_id, delivery_id: ref.delivery_id } }
}

let provider: Promise<TestProvider> | undefined

/** A connection to a provider of this test file's own. */
const connection = async () => {
  provider ??= startProvider()
  return {
    provider: 'openai_compatible',
    name: 'gateway',
    api_key: 'sk-happy-path-0123456789',
    base_url: `${(await provider).url}/v1`,
  }
}
const credential = { provider: 'anthropic', name: 'claude', api_key: 'sk-ant-happy-path-0123456789' }
const localTarget = async () => {
  const { base_url, api_key } = await connection()
  return { name: 'gpu box', endpoint: base_url, runtime: 'vllm', api_key }
}

const onNew =
  (operation: OperationName, param: string, body: () => unknown): HappyPath =>
  async ({ adminKey }) => {
    const made = await invoke(operation, { token: adminKey, body: await body() })
    return { params: { [param]: made.body.id } }
  }
const onNewConnection = onNew('cloud-connections/create', 'connection_id', connection)
const onNewCredential = onNew('cloud-credentials/create', 'credential_id', () => credential)
const onNewTarget = onNew('execution/create-local-target', 'target_id', localTarget)
const checkout = { plan: 'team', interval: 'monthly' }
/** A checkout makes the customer that the rest of billing is about. */
const onCheckout =
  (body?: (sessionId: string) => object): HappyPath =>
  async (org) => {
    const started = await billingOf(org).checkout(checkout)
    return body ? { body: body(started.body.session_id) } : {}
  }

export const happyPaths: Partial<Record<OperationName, HappyPath>> = {
  'api-keys/create': recounting(async () => ({ body: { name: 'server', scopes: ['keys:read'] } })),
  'api-keys/create-app-key': recounting(async () => ({ body: { name: 'app', app_id: 'app-1' } })),
  'api-keys/create-publishable-key': recounting(async () => ({ body: { name: 'web' } })),
  'api-keys/list': nothingNeeded,
  'api-keys/introspect': async (org) => ({
    body: { token: (await makeKey(org)).api_key, include: ['usage'] },
  }),
  'api-keys/scopes': nothingNeeded,
  'api-keys/who-am-i': nothingNeeded,
  'api-keys/get': onNewKey,
  'api-keys/update': async (org) => ({ ...(await onNewKey(org)), body: { name: 'renamed' } }),
  'api-keys/revoke': onNewKey,
  'api-keys/rotate': recounting(onNewKey),
  'audit-events/checkpoints': nothingNeeded,
  'audit-events/export': nothingNeeded,
  'audit-events/list': nothingNeeded,
  'audit-events/verify': nothingNeeded,
  'billing/reconcile-checkout': onCheckout((session_id) => ({ session_id })),
  'billing/create-checkout': async () => ({ body: checkout }),
  'billing/create-portal': onCheckout(() => ({})),
  'billing/get': nothingNeeded,
  'billing/update': async () => ({ body: { plan: 'team', reason: `for a test at ${Date.now()}` } }),
  'billing/list-invoices': onCheckout(),
  'billing/support-context': onCheckout(),
  'org-settings/get': nothingNeeded,
  'org-settings/get-compliance-preset': async () => ({ params: { preset: 'hipaa' } }),
  'org-settings/update': async () => ({ body: { auto_rollback_enabled: true } }),
  'cloud-connections/create': async () => ({ body: await connection() }),
  'cloud-connections/list': nothingNeeded,
  'cloud-connections/get': onNewConnection,
  'cloud-connections/update': async (org) => ({
    ...(await onNewConnection(org)),
    body: { api_key: 'sk-happy-path-replaced' },
  }),
  'cloud-connections/delete': onNewConnection,
  'cloud-connections/models': onNewConnection,
  'cloud-connections/test': onNewConnection,
  'cloud-credentials/create': async () => ({ body: credential }),
  'cloud-credentials/list': nothingNeeded,
  'cloud-credentials/get': onNewCredential,
  'cloud-credentials/update': async (org) => ({
    ...(await onNewCredential(org)),
    body: { api_key: 'sk-ant-replaced' },
  }),
  'cloud-credentials/delete': onNewCredential,
  'cloud-policy/get': nothingNeeded,
  'cloud-policy/update': async () => ({ body: { default_fallback_model: 'openai/gpt-5' } }),
  'execution/get': nothingNeeded,
  'execution/health': nothingNeeded,
  'execution/report': async (org) => {
    const { params } = await onNewTarget(org)
    const counts = { started: 20, succeeded: 5, failed: 15, inflight: 1 }
    return { body: { reports: [{ target_id: params?.target_id, ...counts }] } }
  },
  'execution/create-local-target': async () => ({ body: await localTarget() }),
  'execution/list-local-targets': nothingNeeded,
  'execution/get-local-target': onNewTarget,
  'execution/update-local-target': async (org) => ({
    ...(await onNewTarget(org)),
    body: { api_key: 'sk-happy-path-replaced' },
  }),
  'execution/delete-local-target': onNewTarget,
  'execution/test-local-target': onNewTarget,
  'execution/get-routing': nothingNeeded,
  'execution/update-routing': async () => ({ body: { strategy: 'weighted', cooldown_seconds: 30 } }),
  'org-auth/get': nothingNeeded,
  'org-auth/update': async () => ({ body: { sso_client_secret: 'a client secret of 32 characters' } }),
  'org-policies/get': nothingNeeded,
  'org-policies/update': async () => ({ body: { privacy_mode: 'strict' } }),
  'integrations/create': async () => ({ body: slack }),
  'integrations/list': nothingNeeded,
  'integrations/get': onNewIntegration,
  'integrations/update': async (org) => ({
    ...(await onNewIntegration(org)),
    body: { config: { webhook_url: `${slack.config.webhook_url}2` } },
  }),
  'integrations/delete': onNewIntegration,
  'integrations/validate': onNewIntegration,
  'integrations/test': onNewReceiver,
  'integrations/list-deliveries': onNewIntegration,
  'integrations/retry-delivery': onNewDelivery,
  'usage-limits/get': nothingNeeded,
  'usage-limits/update': async () => ({ body: { limits: { max_devices: { limit: 7, mode: 'alert_only' } } } }),
  'usage/get': nothingNeeded,
  'usage/record': async () => ({ body: { records: [{ id: 'batch-1-0', metric: 'api_requests_monthly', add: 3 }] } }),
  'stripe-events/receive': async () => delivery(stripeEvent()),
  'meta/audit-key': nothingNeeded,
  'meta/health': nothingNeeded,
  'meta/openapi': nothingNeeded,
  'meta/docs': nothingNeeded,
}

/** The happy request of an operation. An operation that has none is a gap in the tests. */
export function happyRequest(name: OperationName, org: TestOrg): ReturnType<HappyPath> {
  const path = happyPaths[name]
  if (!path) throw new Error(`${name} has no happy path in test/support/happy-paths.ts; add one`)
  return path(org)
}
