/** Creates organizations and their first keys, for the operator of a stage. */
import { issueKey, keyCreated } from '../api-keys/issue.ts'
import { takePlace } from '../api-keys/limit.ts'
import { type Actor, createdFields } from '../audit/event.ts'
import { templateScopes } from '../auth/scopes.ts'
import type { PlanCode } from '../billing/plans.ts'
import { readBilling } from '../billing/rows.ts'
import { overrideChanged } from '../billing/set-override.ts'
import { newId } from '../ids.ts'
import type { Org } from '../orgs/record.ts'
import { ProblemError } from '../problem.ts'
import { commit, type Mutation } from '../storage/commit.ts'
import { getRow } from '../table/read.ts'
import { fromRow, orgPartition } from '../table/rows.ts'
import { insert } from '../table/writes.ts'

const systemActor = (id: string): Actor => ({ type: 'system', id })

/** The operator command that creates an org or a key, and its deadline. */
export interface Maker {
  /** The command, as the audit trail names it: `bootstrap`. */
  name: string
  requestId: string
  deadline: Date
}

/** The row that reserves a name, so that a second org with the name is refused. */
const nameKey = (name: string) => ({ pk: `ORGNAME#${name.toLowerCase()}`, sk: 'ORGNAME' })

/** The org with this name; case-insensitive. */
export const findOrgIdByName = async (name: string): Promise<string | undefined> =>
  fromRow<{ org_id: string }>(await getRow(nameKey(name)))?.org_id

/**
 * Creates an org.
 *
 * @throws ProblemError `conflict` when the name is taken
 */
export async function createOrg(named: Pick<Org, 'name' | 'owner_email'>, maker: Maker): Promise<Org> {
  const now = new Date()
  const org: Org = { id: newId('org'), ...named, created_at: now.toISOString() }
  const mutation: Mutation = {
    action: 'organization.created',
    resource: { type: 'organization', id: org.id, name: org.name },
    result: 'success',
    diff: createdFields(org, ['name', 'owner_email']),
    writes: [
      insert({ pk: orgPartition(org.id), sk: 'ORG', ...org }),
      insert({ ...nameKey(org.name), org_id: org.id }, () => nameTaken(org.name)),
    ],
  }
  await commit(mutation, requestContext(org.id, maker, now), maker.deadline)
  return org
}

const nameTaken = (name: string) => new ProblemError('conflict', `An organization named ${name} already exists.`)

/** Issues an org key with the scopes of a template, and returns its raw value. */
export async function createOrgKey(orgId: string, name: string, template: string, maker: Maker): Promise<string> {
  const now = new Date()
  const definition = { name, key_type: 'org', environment: 'live', scopes: templateScopes(template) } as const
  const issued = issueKey(definition, systemActor(maker.name), now)
  await takePlace(orgId, now)
  await commit(keyCreated(orgId, issued), requestContext(orgId, maker, now), maker.deadline)
  return issued.rawKey
}

/** Overrides the plan of an org without an end. For plans sold by contract, and for trials. */
export async function setPlan(orgId: string, plan: PlanCode, maker: Maker, reason = maker.name): Promise<void> {
  const now = new Date()
  const override = { plan, reason, expires_at: null, set_at: now.toISOString(), set_by: maker.name }
  const mutation = overrideChanged(orgId, await readBilling(orgId), override, now)
  if (mutation.diff.length > 0) await commit(mutation, requestContext(orgId, maker, now), maker.deadline)
}

/** The request context of a change that an operator command makes, not a caller. */
export const requestContext = (orgId: string, { name, requestId }: Maker, now: Date) => ({
  orgId,
  actor: systemActor(name),
  now,
  requestId,
})
