import { resource } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { orgPolicies } from '../../shared/org-policies/entity.ts'
import { readDocument } from '../../shared/storage/document.ts'
import { getPolicies } from './contract.ts'

/** Reads the policies. */
export const handler = serve(getPolicies, async ({ caller }) =>
  resource((await readDocument(orgPolicies, caller.orgId)).value),
)
