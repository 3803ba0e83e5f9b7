import { requireFeatures } from '../../shared/billing/plan-limit.ts'
import { resource } from '../../shared/http/answer.ts'
import { commitIfChanged, requireMatch } from '../../shared/http/patch.ts'
import { serve } from '../../shared/http/serve.ts'
import { clientSecretBinding, configuredProviders, orgAuthUpdated, readOrgAuth } from '../../shared/org-auth/entity.ts'
import * as rules from '../../shared/org-auth/record.ts'
import { presentFields } from '../../shared/patch-fields.ts'
import { invalidInput } from '../../shared/problem.ts'
import { encryptField } from '../../shared/secrets/encrypt.ts'
import { updateOrgAuth } from './contract.ts'

/** Applies a patch. Encrypts the secret only after the checks of the result and of the plan. */
export const handler = serve(updateOrgAuth, async ({ caller, body, headers, now, commit }) => {
  const before = await readOrgAuth(caller.orgId)
  const wanted = { ...before.value, ...presentFields(body) }
  const providers = configuredProviders()
  rules.requireWayIn(wanted)
  const faults = rules.incoherences(wanted, providers)
  if (faults.length > 0) throw invalidInput(faults)
  requireMatch(headers, rules.toOrgAuthView(before.value, providers), rules.unseenOf(before.value))
  rules.requireSecretAgain(before.value, wanted, body.sso_client_secret)
  await requireFeatures(caller.orgId, now, rules.featuresSwitchedOn(before.value, wanted))
  const binding = clientSecretBinding(caller.orgId)
  const encrypted = await encryptField(body.sso_client_secret, before.value.sso_client_secret, binding)
  const after: rules.OrgAuth = { ...wanted, sso_client_secret: encrypted }
  const answer = resource(rules.toOrgAuthView(after, providers), rules.unseenOf(after))
  return commitIfChanged(commit, orgAuthUpdated(caller.orgId, before, after), answer)
})
