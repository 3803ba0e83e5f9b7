/** For each operation a request that succeeds, so that suites that walk the operations can reach their handlers. */
import type { OperationName } from '../../functions/operations.ts'
import { billingOf } from './billing.ts'
import { invoke, type Request } from './invoke.ts'
import { makeKey, type TestOrg } from './orgs.ts'
import { delivery, stripeEvent } from './stripe-events.ts'

/** Makes what the request needs, and the request; whoever sends it adds the token. */
type HappyPath = (org: TestOrg) => Promise<Pick<Request, 'params' | 'query' | 'body' | 'rawBody' | 'headers'>>

const nothingNeeded: HappyPath = async () => ({})
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

const checkout = { plan: 'team', interval: 'monthly' }
/** A checkout makes the customer that the rest of billing is about. */
const onCheckout =
  (body?: (sessionId: string) => object): HappyPath =>
  async (org) => {
    const started = await billingOf(org).checkout(checkout)
    return body ? { body: body(started.body.session_id) } : {}
  }

export const happyPaths: Partial<Record<OperationName, HappyPath>> = {
  'api-keys/create': async () => ({ body: { name: 'server', scopes: ['keys:read'] } }),
  'api-keys/create-app-key': async () => ({ body: { name: 'app', app_id: 'app-1' } }),
  'api-keys/create-publishable-key': async () => ({ body: { name: 'web' } }),
  'api-keys/list': nothingNeeded,
  'api-keys/scopes': nothingNeeded,
  'api-keys/get': onNewKey,
  'api-keys/revoke': onNewKey,
  'api-keys/rotate': onNewKey,
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
  'org-settings/update': async () => ({ body: { auto_rollback_enabled: true } }),
  'auth/get': nothingNeeded,
  'auth/update': async () => ({ body: { sso_client_secret: 'a client secret of 32 characters' } }),
  'policies/get': nothingNeeded,
  'policies/update': async () => ({ body: { privacy_mode: 'strict' } }),
  'integrations/create': async () => ({ body: slack }),
  'integrations/list': nothingNeeded,
  'integrations/get': onNewIntegration,
  'integrations/update': async (org) => ({
    ...(await onNewIntegration(org)),
    body: { config: { webhook_url: `${slack.config.webhook_url}2` } },
  }),
  'integrations/delete': onNewIntegration,
  'integrations/validate': onNewIntegration,
  'usage-limits/get': nothingNeeded,
  'usage-limits/update': async () => ({ body: { limits: { max_devices: { limit: 7, mode: 'alert_only' } } } }),
  'stripe-events/receive': async () => delivery(stripeEvent()),
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
