/** The policies of an org in the table. */
import type { DocumentKind } from '../storage/document.ts'
import { defaultOrgPolicies, type OrgPoliciesRecord } from './record.ts'

export const orgPolicies: DocumentKind<OrgPoliciesRecord> = {
  sortKey: 'POLICIES',
  resource: 'org_policies',
  updated: 'org_policies.updated',
  defaults: defaultOrgPolicies,
}
