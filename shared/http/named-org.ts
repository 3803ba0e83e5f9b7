/** The organization that a request names in `org_id`. A service key acts for it. */
import { setBounded } from '../bounded-map.ts'
import { idPattern } from '../ids.ts'
import { findOrg } from '../orgs/record.ts'
import { type InputFault, ProblemError } from '../problem.ts'
import type { Exchange } from './exchange.ts'
import type { Operation } from './operation.ts'

export const namedOrgOf = ({ pathParameters, query }: Exchange): string | undefined =>
  pathParameters.org_id ?? query.org_id

/** The fault of a service key's request that must name an organization and does not. */
export const missingOrgFaults = ({ orgMayBeAbsent }: Operation, exchange: Exchange): InputFault[] =>
  exchange.caller?.kind === 'service' && !orgMayBeAbsent && namedOrgOf(exchange) === undefined
    ? [
        {
          path: 'org_id',
          code: 'missing_field',
          message: 'is required with a service key: the organization to act for',
        },
      ]
    : []

/**
 * Lets a service key act for the organization that its request names. Other callers have their own.
 *
 * @throws ProblemError `not_found` for an organization that does not exist
 */
export async function actForNamedOrg(exchange: Exchange): Promise<void> {
  const { caller } = exchange
  const orgId = namedOrgOf(exchange)
  if (caller?.kind !== 'service' || orgId === undefined) return
  if (!(await orgExists(orgId))) throw new ProblemError('not_found', 'The organization in org_id does not exist.')
  exchange.caller = { ...caller, orgId, namesOrg: true }
}

/** Organizations that this process has found. None is ever deleted. */
const found = new Map<string, true>()
const maxFound = 1000

async function orgExists(orgId: string): Promise<boolean> {
  if (found.has(orgId)) return true
  if (!idPattern('org').test(orgId) || !(await findOrg(orgId))) return false
  setBounded(found, orgId, true, maxFound)
  return true
}
