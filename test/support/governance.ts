/** What tests of an org's one-of-a-kind settings have in common: its plan and its trail. */
import { expect } from 'vitest'
import type { PlanCode } from '../../shared/billing/plans.ts'
import { setPlan } from '../../shared/operator/orgs.ts'
import { signIfDue } from '../../shared/trail/checkpoints.ts'
import { sealOrg } from '../../shared/trail/seal.ts'
import { invoke } from './invoke.ts'
import { makeBusyOrg, type TestOrg } from './orgs.ts'
import { rowsOf } from './rows.ts'

/** Puts an org on a plan, whatever it pays. */
export const putOnPlan = ({ orgId }: Pick<TestOrg, 'orgId'>, plan: PlanCode): Promise<void> =>
  setPlan(orgId, plan, { name: 'test', requestId: 'test', deadline: new Date(Date.now() + 20_000) })

export async function makeOrgOn(plan: PlanCode): Promise<TestOrg> {
  const org = await makeBusyOrg()
  if (plan !== 'free') await putOnPlan(org, plan)
  return org
}

/** An audit event, as far as tests read it. */
export interface TestEvent {
  id: string
  action: string
  result: string
  actor: { type: string; id: string }
  resource: { type: string; id?: string }
  changes: { field: string; before?: unknown; after?: unknown }[]
  request_id: string
}

/** The events of an org with one action, oldest first. */
export async function eventsOf({ adminKey }: Pick<TestOrg, 'adminKey'>, action: string): Promise<TestEvent[]> {
  const { body } = await invoke('audit-events/list', { token: adminKey, query: { action, limit: '100' } })
  return body.data.reverse()
}

/** Seals all events of an org, as the sealer would, and signs its chain if that is due. */
export async function seal({ orgId }: Pick<TestOrg, 'orgId'>): Promise<void> {
  await sealOrg(orgId, new Date())
  await signIfDue(orgId, new Date())
}

/** Seals the events of an org, and asserts that its chain is whole. */
export async function expectWholeChain({ orgId, adminKey }: TestOrgAdmin): Promise<void> {
  await seal({ orgId })
  const { body } = await invoke('audit-events/verify', { token: adminKey, query: { limit: '1000' } })
  expect(body).toMatchObject({
    valid: true,
    first_invalid: null,
    from_block: 1,
    unsealed: { count: 0, oldest_at: null },
    next_cursor: null,
  })
  expect(body.events_checked).toBe(await trailEnd({ orgId }))
}

type TestOrgAdmin = Pick<TestOrg, 'orgId' | 'adminKey'>

/** How many events an org has had so far. */
export const trailEnd = async ({ orgId }: Pick<TestOrg, 'orgId'>): Promise<number> =>
  (await rowsOf(orgId, 'EVENT#')).length
