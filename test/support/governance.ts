/** What tests of an org's one-of-a-kind settings have in common: its plan and its trail. */
import { expect } from 'vitest'
import type { PlanCode } from '../../shared/billing/plans.ts'
import { setPlan } from '../../shared/operator/orgs.ts'
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
  seq: number
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

/** Asserts that the whole chain of an org holds. */
export async function expectWholeChain({ adminKey }: Pick<TestOrg, 'adminKey'>): Promise<void> {
  const { body } = await invoke('audit-events/verify', { token: adminKey })
  expect(body).toMatchObject({ valid: true, first_invalid_seq: null, from_seq: 1, next_cursor: null })
}

/** The number of events that an org has had so far, by the head row of its chain. */
export async function trailEnd({ orgId }: Pick<TestOrg, 'orgId'>): Promise<number> {
  const [head] = await rowsOf(orgId, 'AUDITHEAD')
  return Number(head?.seq ?? 0)
}
