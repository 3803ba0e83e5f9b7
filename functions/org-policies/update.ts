import { serveDocumentPatch } from '../../shared/http/serve-documents.ts'
import { orgPolicies } from '../../shared/org-policies/entity.ts'
import { toOrgPoliciesView } from '../../shared/org-policies/record.ts'
import { updatePolicies } from './contract.ts'

/** Applies a patch to the policies. */
export const handler = serveDocumentPatch(updatePolicies, orgPolicies, toOrgPoliciesView)
