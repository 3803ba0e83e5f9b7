/** The cloud fallback policy. */
import { changeAccess, readAccess } from '../../shared/access.ts'
import { cloudPolicyFields, cloudPolicySchema } from '../../shared/cloud-policy/record.ts'
import { operation } from '../../shared/http/operation.ts'
import { patchBody } from '../../shared/http/patch.ts'
import { cloudPolicyView } from './wire.ts'

const tag = 'Cloud policy'

export const getCloudPolicy = operation({
  id: 'settings.get-cloud-policy',
  route: 'GET /api/v2/settings/cloud-policy',
  tag,
  scope: 'settings:read',
  summary: 'Get the cloud policy',
  description: 'Returns whether inference may use the cloud, and the allowed keys, providers and default model.',
  answers: () => ({ 200: cloudPolicySchema() }),
  published: [{ id: 'settings.cloud_policy.get', records: { answer: 'CloudPolicyResponse' }, wire: cloudPolicyView }],
  access: readAccess,
})

export const updateCloudPolicy = operation({
  id: 'settings.update-cloud-policy',
  route: 'PATCH /api/v2/settings/cloud-policy',
  tag,
  scope: 'settings:write',
  summary: 'Update the cloud policy',
  description:
    'Changes the fields in the body. A contradictory policy is refused. A policy with `cloud_enabled: false` is never contradictory.',
  request: () => ({ body: patchBody(cloudPolicyFields()) }),
  answers: () => ({ 200: cloudPolicySchema() }),
  published: [
    {
      id: 'settings.cloud_policy.update',
      records: { request: 'UpdateCloudPolicyRequest', answer: 'CloudPolicyResponse' },
      wire: cloudPolicyView,
    },
  ],
  access: changeAccess,
  audit: { action: 'cloud_policy.updated', resource: 'cloud_policy' },
})
