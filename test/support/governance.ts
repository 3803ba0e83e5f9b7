/** What tests of an org's one-of-a-kind settings have in common: its plan and its trail. */
import { expect } from 'vitest'
import type { PlanCode } from '../../shared/billing/plans.ts'
import { setPlan } from '../../shared/operator/orgs.ts'
import { signIfDue } from '../../shared/trail/checkpoints.ts'
import { sealOrg } from '../../shared/trail/seal.ts'
import { invoke } from './invoke.ts'
import { makeBusyOrg, type TestOrg } from './orgs.ts'
import { rowsOf } from './rows.ts'

/** Puts an org on a plan by an override. */
export const putOnPlan = ({ orgId }: Pick<TestOrg, 'orgId'>, plan: PlanCode): Promise<void> =>
  setPlan(orgId, plan, { name: 'test', requestId: 'test', deadline: new Date(Date.now() + 20_000) })

export async function makeOrgOn(plan: PlanCode): Promise<TestOrg> {
  const org = await makeBusyOrg()
  if (plan !== 'free') await putOnPlan(org, plan)
  return org
}

/** An audit event, as far as tests read it. */
export interface TestEvent {
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

/** Seals what is unsealed, and asserts that the whole chain of an org holds. */
export async function expectWholeChain({ orgId, adminKey }: Pick<TestOrg, 'orgId' | 'adminKey'>): Promise<void> {
  await sealOrg(orgId, new Date())
  await signIfDue(orgId, new Date())
  const { body } = await invoke('audit-events/verify', { token: adminKey, query: { limit: '1000' } })
  const unsealed = { count: 0, oldest_at: null }
  expect(body).toMatchObject({ valid: true, first_invalid: null, from_block: 1, unsealed, next_cursor: null })
}

/** The number of events that an org has. */
export async function trailEnd({ orgId }: Pick<TestOrg, 'orgId'>): Promise<number> {
  return (await rowsOf(orgId, 'EVENT#')).length
}
