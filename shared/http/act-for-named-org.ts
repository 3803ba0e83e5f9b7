/** A service key acts for the organization that its request names. */
import { setBounded } from '../bounded-map.ts'
import { idPattern } from '../ids.ts'
import { findOrg } from '../orgs/record.ts'
import { ProblemError } from '../problem.ts'
import type { Exchange } from './exchange.ts'
import { namedOrgOf } from './named-org.ts'

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
