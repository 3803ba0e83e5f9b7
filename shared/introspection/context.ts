/** What an answer shows beside the key: the plan of its organization, and what `include` asks for. */
import { readPlan } from '../billing/rows.ts'
import { cloudPolicy } from '../cloud-policy/entity.ts'
import { orgPolicies } from '../org-policies/entity.ts'
import { toOrgPoliciesView } from '../org-policies/record.ts'
import { readDocument } from '../storage/document.ts'
import { readUsage } from '../usage/standing.ts'
import { metrics } from '../usage-limits/record.ts'
import type { ActiveKey, Included, Usage } from './record.ts'

export type KeyContext = Pick<ActiveKey, 'plan' | 'policies' | 'cloud_policy' | 'usage'>

export async function readContext(orgId: string, include: readonly Included[], now: Date): Promise<KeyContext> {
  const ifIncluded = <T>(name: Included, read: () => Promise<T>) => (include.includes(name) ? read() : undefined)
  const [plan, policies, cloud_policy, usage] = await Promise.all([
    readPlan(orgId, now),
    ifIncluded('policies', async () => toOrgPoliciesView((await readDocument(orgPolicies, orgId)).value)),
    ifIncluded('cloud_policy', async () => (await readDocument(cloudPolicy, orgId)).value),
    ifIncluded('usage', async () => shownUsage(await readUsage(orgId, now))),
  ])
  return {
    plan: plan.code,
    ...(policies ? { policies } : {}),
    ...(cloud_policy ? { cloud_policy } : {}),
    ...(usage ? { usage } : {}),
  }
}

const shownUsage = (standings: Awaited<ReturnType<typeof readUsage>>): Usage =>
  Object.fromEntries(
    metrics.map((metric) => {
      const { used, limit, mode, remaining, exceeded } = standings[metric]
      return [metric, { used, limit, mode, remaining, exceeded }]
    }),
  ) as Usage
