/** The budget of the option `monthly_budget_usd`: mails at 80 % and at 100 % of the costs of the whole account. */
import { CfnBudget } from 'aws-cdk-lib/aws-budgets'
import type { Construct } from 'constructs'
import type { StageSettings } from './stage.ts'

export function addBudget(scope: Construct, { monthlyBudgetUsd, alarmEmail }: StageSettings): void {
  if (monthlyBudgetUsd === undefined || alarmEmail === undefined) return
  new CfnBudget(scope, 'Budget', {
    // Without a name: a new address replaces the budget, and two of one name cannot be in an account.
    budget: {
      budgetType: 'COST',
      timeUnit: 'MONTHLY',
      budgetLimit: { amount: monthlyBudgetUsd, unit: 'USD' },
    },
    notificationsWithSubscribers: [80, 100].map((threshold) => ({
      notification: {
        notificationType: 'ACTUAL',
        comparisonOperator: 'GREATER_THAN',
        threshold,
        thresholdType: 'PERCENTAGE',
      },
      subscribers: [{ subscriptionType: 'EMAIL', address: alarmEmail }],
    })),
  })
}
