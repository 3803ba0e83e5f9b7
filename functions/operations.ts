/**
 * Every operation of the API: its table of contents. The name of an entry is the file of its handler, so that
 * `api-keys/create` is `functions/api-keys/create.ts`, deployed in the stack of `api-keys`. The order is that of the reference:
 * list, create, get, update, delete, then the rest.
 */
import type { Operation } from '../shared/http/operation.ts'
import * as apiKeys from './api-keys/contract.ts'
import * as auditEvents from './audit-events/contract.ts'
import * as billing from './billing/contract.ts'
import * as cloudConnections from './cloud-connections/contract.ts'
import * as cloudCredentials from './cloud-credentials/contract.ts'
import * as cloudPolicy from './cloud-policy/contract.ts'
import * as execution from './execution/contract.ts'
import * as integrations from './integrations/contract.ts'
import * as meta from './meta/contract.ts'
import * as auth from './org-auth/contract.ts'
import * as policies from './org-policies/contract.ts'
import * as orgSettings from './org-settings/contract.ts'
import * as stripeEvents from './stripe-events/contract.ts'
import * as usage from './usage/contract.ts'
import * as usageLimits from './usage-limits/contract.ts'

export const operations = {
  'api-keys/list': apiKeys.listApiKeys,
  'api-keys/create': apiKeys.createApiKey,
  'api-keys/create-app-key': apiKeys.createAppKey,
  'api-keys/create-publishable-key': apiKeys.createPublishableKey,
  'api-keys/get': apiKeys.getApiKey,
  'api-keys/update': apiKeys.updateApiKey,
  'api-keys/rotate': apiKeys.rotateApiKey,
  'api-keys/revoke': apiKeys.revokeApiKey,
  'api-keys/introspect': apiKeys.introspectKey,
  'api-keys/scopes': apiKeys.listScopes,
  'api-keys/who-am-i': apiKeys.whoAmI,
  'audit-events/checkpoints': auditEvents.listAuditCheckpoints,
  'audit-events/export': auditEvents.exportAuditEvents,
  'audit-events/list': auditEvents.listAuditEvents,
  'audit-events/verify': auditEvents.verifyAuditChain,
  'cloud-connections/list': cloudConnections.listConnections,
  'cloud-connections/create': cloudConnections.createConnection,
  'cloud-connections/get': cloudConnections.getConnection,
  'cloud-connections/update': cloudConnections.updateConnection,
  'cloud-connections/delete': cloudConnections.deleteConnection,
  'cloud-connections/test': cloudConnections.testConnection,
  'cloud-connections/models': cloudConnections.listConnectionModels,
  'cloud-credentials/list': cloudCredentials.listCredentials,
  'cloud-credentials/create': cloudCredentials.createCredential,
  'cloud-credentials/get': cloudCredentials.getCredential,
  'cloud-credentials/update': cloudCredentials.updateCredential,
  'cloud-credentials/delete': cloudCredentials.deleteCredential,
  'cloud-policy/get': cloudPolicy.getCloudPolicy,
  'cloud-policy/update': cloudPolicy.updateCloudPolicy,
  'execution/get': execution.getExecution,
  'execution/health': execution.getExecutionHealth,
  'execution/report': execution.reportExecution,
  'execution/get-routing': execution.getRouting,
  'execution/update-routing': execution.updateRouting,
  'execution/list-local-targets': execution.listLocalTargets,
  'execution/create-local-target': execution.createLocalTarget,
  'execution/get-local-target': execution.getLocalTarget,
  'execution/update-local-target': execution.updateLocalTarget,
  'execution/delete-local-target': execution.deleteLocalTarget,
  'execution/test-local-target': execution.testLocalTarget,
  'billing/get': billing.getBilling,
  'billing/update': billing.updateBilling,
  'billing/create-checkout': billing.createCheckoutSession,
  'billing/reconcile-checkout': billing.reconcileCheckout,
  'billing/create-portal': billing.createPortalSession,
  'billing/list-invoices': billing.listInvoices,
  'billing/support-context': billing.getSupportContext,
  'org-settings/get': orgSettings.getOrgSettings,
  'org-settings/get-compliance-preset': orgSettings.getCompliancePreset,
  'org-settings/update': orgSettings.updateOrgSettings,
  'org-auth/get': auth.getOrgAuth,
  'org-auth/update': auth.updateOrgAuth,
  'org-policies/get': policies.getPolicies,
  'org-policies/update': policies.updatePolicies,
  'integrations/list': integrations.listIntegrations,
  'integrations/create': integrations.createIntegration,
  'integrations/get': integrations.getIntegration,
  'integrations/update': integrations.updateIntegration,
  'integrations/delete': integrations.deleteIntegration,
  'integrations/validate': integrations.validateIntegration,
  'integrations/test': integrations.testIntegration,
  'integrations/list-deliveries': integrations.listDeliveries,
  'integrations/retry-delivery': integrations.retryDelivery,
  'usage-limits/get': usageLimits.getUsageLimits,
  'usage-limits/update': usageLimits.updateUsageLimits,
  'usage/get': usage.getUsage,
  'usage/record': usage.recordUsage,
  'stripe-events/receive': stripeEvents.receiveStripeEvent,
  'meta/health': meta.getHealth,
  'meta/openapi': meta.getOpenApi,
  'meta/audit-key': meta.getAuditKey,
  'meta/docs': meta.getDocs,
} as const satisfies Record<`${string}/${string}`, Operation>

export type OperationName = keyof typeof operations

/** The operations with their names, as a list. */
export const operationList = Object.entries(operations) as unknown as readonly [OperationName, Operation][]

/** The function behind the catch-all route. */
export const catchAll = { name: 'catch-all/unmatched', operation: meta.unmatched as Operation } as const

/** Every operation that is deployed: those of the API, and the catch-all. */
export const deployedOperations: readonly (readonly [name: string, Operation])[] = [
  ...operationList,
  [catchAll.name, catchAll.operation],
]

/** Every route of the API, of both faces. */
export const routeList = operationList.flatMap(([name, operation]) =>
  operation.routes.map((route) => ({ name, operation, route })),
)

/** Paths to suggest for an unknown path: those of the same face. Only clients of the published face use it. */
export const pathsBeside = (path: string): string[] => {
  const isPublished = path.startsWith('/api/v1/')
  const offered = routeList.filter(({ route }) =>
    isPublished ? route.path.startsWith('/api/v1/') : route.published === undefined,
  )
  return [...new Set(offered.map(({ route }) => route.path))]
}
