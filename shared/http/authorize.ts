/** Authorization of an authenticated caller: its scopes, its org, and the restrictions of its org and its key. */
import { admitsOrigin } from '../api-keys/origins.ts'
import type { Caller } from '../auth/caller.ts'
import { missingScopes } from '../auth/scopes.ts'
import { admissionFault, rulesOf } from '../org-settings/access-rules.ts'
import { ProblemError } from '../problem.ts'
import type { Exchange } from './exchange.ts'
import { namedOrgOf } from './named-org.ts'
import type { Operation } from './operation.ts'

/** @throws ProblemError `forbidden` */
export async function authorize(operation: Operation, caller: Caller, exchange: Exchange): Promise<void> {
  const { headers, ip, now } = exchange
  const { scope } = operation
  if (scope !== 'any' && scope !== 'public' && missingScopes([scope], caller.scopes).length > 0) {
    throw new ProblemError(
      'forbidden',
      `This operation needs the scope ${scope}, which the credential does not hold.`,
      {
        published: 'insufficient_scope',
      },
    )
  }
  if (caller.kind === 'service') return
  const namedOrg = namedOrgOf(exchange)
  if (namedOrg !== undefined && namedOrg !== caller.orgId) {
    throw new ProblemError('forbidden', 'org_id names an organization that the credential does not belong to.')
  }
  if (caller.kind === 'api_key' && caller.allowedOrigins.length > 0) {
    refuseForeignOrigin(caller.allowedOrigins, headers.origin)
  }
  const fault = admissionFault(caller, await rulesOf(caller.orgId, now), ip)
  if (fault) throw new ProblemError('forbidden', fault)
}

function refuseForeignOrigin(allowed: readonly string[], origin: string | undefined): void {
  if (origin === undefined) {
    throw new ProblemError(
      'forbidden',
      'This publishable key is bound to origins, and the request has no Origin header.',
    )
  }
  if (!admitsOrigin(allowed, origin)) {
    throw new ProblemError('forbidden', 'This publishable key does not allow this Origin.')
  }
}
