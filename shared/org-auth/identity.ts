/** The mode of sign-in where it is changed together with the settings of the organization. */
import type { Caller } from '../auth/caller.ts'
import { missingScopes } from '../auth/scopes.ts'
import { invalidInput, ProblemError } from '../problem.ts'
import type { Change } from '../storage/commit.ts'
import type { Versioned } from '../storage/document.ts'
import { configuredProviders, orgAuthUpdated } from './entity.ts'
import { incoherences, type OrgAuth, requireWayIn } from './record.ts'

export type Identity = Partial<Pick<OrgAuth, 'primary_identity_mode' | 'passkeys_enabled'>>

/**
 * The sign-in settings with another mode, by their own rules and with their own scope.
 *
 * @throws ProblemError `forbidden` without `auth:write`, `invalid_input` for what does not hold together
 */
export function identityChanged(
  { orgId, scopes }: Caller,
  before: Versioned<OrgAuth>,
  identity: Identity | undefined,
): { change: Change | undefined; after: OrgAuth } {
  if (identity === undefined) return { change: undefined, after: before.value }
  if (missingScopes(['auth:write'], scopes).length > 0)
    throw new ProblemError('forbidden', 'Changing how people sign in needs the scope auth:write.', {
      published: 'insufficient_scope',
    })
  const after = { ...before.value, ...identity }
  requireWayIn(after)
  const faults = incoherences(after, configuredProviders())
  if (faults.length > 0) throw invalidInput(faults)
  return { change: orgAuthUpdated(orgId, before, after), after }
}
