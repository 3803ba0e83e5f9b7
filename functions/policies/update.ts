import { resource } from '../../shared/http/answer.ts'
import { commitIfChanged, presentFields, requireMatch } from '../../shared/http/patch.ts'
import { serve } from '../../shared/http/serve.ts'
import { orgPolicies } from '../../shared/org-policies/entity.ts'
import { documentChanged, readDocument } from '../../shared/storage/document.ts'
import { updatePolicies } from './contract.ts'

/** Applies a patch to the policies. */
export const handler = serve(updatePolicies, async ({ caller, body, headers, commit }) => {
  const before = await readDocument(orgPolicies, caller.orgId)
  requireMatch(headers, before.value)
  const after = { ...before.value, ...presentFields(body) }
  return commitIfChanged(commit, documentChanged(orgPolicies, caller.orgId, before, after), resource(after))
})
