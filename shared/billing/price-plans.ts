/**
 * The last known plan of each Stripe price. A lookup key can move to another price; customers who pay the old price
 * keep its plan.
 */
import { getRow } from '../table/read.ts'
import type { RowKey } from '../table/rows.ts'
import { updateRow } from '../table/update.ts'
import { type PlanCode, planCodes } from './plans.ts'

const priceKey = (priceId: string): RowKey => ({ pk: `STRIPEPRICE#${priceId}`, sk: 'STRIPEPRICE' })

/** The last known plan of a price; null when no plan was ever known. */
export async function rememberedPlan(priceId: string): Promise<PlanCode | null> {
  const stored = (await getRow(priceKey(priceId)))?.plan
  return planCodes.find((code) => code === stored) ?? null
}

/** Stores the plan of a price, unless it is stored already. */
export async function rememberPlan(priceId: string, plan: PlanCode): Promise<void> {
  if ((await rememberedPlan(priceId)) === plan) return
  await updateRow(priceKey(priceId), {
    UpdateExpression: 'SET #plan = :plan',
    ExpressionAttributeNames: { '#plan': 'plan' },
    ExpressionAttributeValues: { ':plan': plan },
  })
}
