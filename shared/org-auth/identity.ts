/** Changes of the sign-in mode that come with a change of the organization's settings. */
import type { Caller } from '../auth/caller.ts'
import { missingScopes } from '../auth/scopes.ts'
import { invalidInput, ProblemError } from '../problem.ts'
import type { Mutation } from '../storage/commit.ts'
import type { Versioned } from '../storage/document.ts'
import { configuredProviders, orgAuthUpdated } from './entity.ts'
import { incoherences, type OrgAuth, requireWayIn } from './record.ts'

export type Identity = Partial<Pick<OrgAuth, 'primary_identity_mode' | 'passkeys_enabled'>>

/**
 * The sign-in settings with another mode, under their own rules and scope.
 *
 * @throws ProblemError `forbidden` without `auth:write`, `invalid_input` for inconsistent settings
 */
export function identityChanged(
  { orgId, scopes }: Caller,
  before: Versioned<OrgAuth>,
  identity: Identity | undefined,
): { mutation: Mutation | undefined; after: OrgAuth } {
  if (identity === undefined) return { mutation: undefined, after: before.value }
  if (missingScopes(['auth:write'], scopes).length > 0)
    throw new ProblemError('forbidden', 'You need the scope auth:write to change how people sign in.', {
      published: 'insufficient_scope',
    })
  const after = { ...before.value, ...identity }
  requireWayIn(after)
  const faults = incoherences(after, configuredProviders())
  if (faults.length > 0) throw invalidInput(faults)
  return { mutation: orgAuthUpdated(orgId, before, after), after }
}
