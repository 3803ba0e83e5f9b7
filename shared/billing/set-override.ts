/** Setting and clearing the override of an org's plan. */
import { type AuditChange, changedFields } from '../audit/event.ts'
import { type Mutation, StaleReadError } from '../storage/commit.ts'
import { updateIf } from '../table/writes.ts'
import { activeOverride, type Billing, type PlanOverride } from './current-plan.ts'
import { billingKey } from './rows.ts'

/** The change that sets, replaces or (null) clears the override. Of two concurrent changes, the second reads again. */
export function overrideChanged(orgId: string, before: Billing, after: PlanOverride | null, now: Date): Mutation {
  const { overrideVersion: read } = before
  return {
    action: after ? 'billing.override_set' : 'billing.override_cleared',
    resource: { type: 'billing', id: orgId },
    result: 'success',
    diff: overrideChanges(activeOverride(before, now), after ?? undefined),
    writes: [
      updateIf(
        billingKey(orgId),
        {
          UpdateExpression: `SET override_version = :next${after ? ', #override = :override' : ' REMOVE #override'}`,
          ConditionExpression: read === 0 ? 'attribute_not_exists(override_version)' : 'override_version = :read',
          ExpressionAttributeNames: { '#override': 'override' },
          ExpressionAttributeValues: {
            ':next': read + 1,
            ...(after ? { ':override': after } : {}),
            ...(read === 0 ? {} : { ':read': read }),
          },
        },
        () => new StaleReadError('the override was changed since it was read'),
      ),
    ],
  }
}

/** The event has the time and the actor anyway. */
const auditedFields = ['plan', 'reason', 'expires_at'] as const
const noOverride = { plan: null, reason: null, expires_at: null }

const overrideChanges = (before: PlanOverride | undefined, after: PlanOverride | undefined): AuditChange[] =>
  changedFields<Record<(typeof auditedFields)[number], unknown>>(
    before ?? noOverride,
    after ?? noOverride,
    auditedFields,
  ).map((change) => ({ ...change, field: `override.${change.field}` }))
