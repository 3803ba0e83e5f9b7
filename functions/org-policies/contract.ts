/** Serving and data-handling policies. */
import { changeAccess, readAccess } from '../../shared/access.ts'
import { operation } from '../../shared/http/operation.ts'
import { patchBody } from '../../shared/http/patch.ts'
import { orgPoliciesFields, orgPoliciesSchema } from '../../shared/org-policies/record.ts'
import { policiesUpdate, policiesView } from './wire.ts'

const tag = 'Policies'

export const getPolicies = operation({
  id: 'settings.get-policies',
  route: 'GET /api/v2/settings/policies',
  tag,
  scope: 'settings:read',
  summary: 'Get policies',
  description: 'Returns the serving policy, the telemetry switch and the privacy mode.',
  answers: () => ({ 200: orgPoliciesSchema() }),
  published: [{ id: 'settings.policies.get', records: { answer: 'PoliciesResponse' }, wire: policiesView }],
  access: readAccess,
})

export const updatePolicies = operation({
  id: 'settings.update-policies',
  route: 'PATCH /api/v2/settings/policies',
  tag,
  scope: 'settings:write',
  summary: 'Update policies',
  description: 'Changes the fields in the body.',
  request: () => ({ body: patchBody(orgPoliciesFields()) }),
  answers: () => ({ 200: orgPoliciesSchema() }),
  published: [
    {
      id: 'settings.policies.update',
      records: { request: 'UpdatePoliciesRequest', answer: 'PoliciesResponse' },
      wire: policiesUpdate,
    },
  ],
  access: changeAccess,
  audit: { action: 'org_policies.updated', resource: 'org_policies' },
})
