import { serveDocument } from '../../shared/http/serve-documents.ts'
import { orgPolicies } from '../../shared/org-policies/entity.ts'
import { toOrgPoliciesView } from '../../shared/org-policies/record.ts'
import { getPolicies } from './contract.ts'

/** Reads the policies. */
export const handler = serveDocument(getPolicies, orgPolicies, toOrgPoliciesView)
