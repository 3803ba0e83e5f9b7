/** How people of an organization sign in. */
import { changeAccess, readAccess } from '../../shared/access.ts'
import { operation } from '../../shared/http/operation.ts'
import { patchBody } from '../../shared/http/patch.ts'
import { orgAuthPatchFields, orgAuthSchema } from '../../shared/org-auth/record.ts'
import { authView } from './wire.ts'

const tag = 'Sign-in'

export const getOrgAuth = operation({
  id: 'settings.get-auth',
  route: 'GET /api/v2/settings/auth',
  tag,
  scope: 'settings:read',
  summary: 'Get sign-in settings',
  description: 'Returns SSO, SCIM, the primary identity mode, and the server’s sign-in providers.',
  answers: () => ({ 200: orgAuthSchema() }),
  published: [{ id: 'settings.auth.get', records: { answer: 'AuthConfigResponse' }, wire: authView }],
  access: readAccess,
})

export const updateOrgAuth = operation({
  id: 'settings.update-auth',
  route: 'PATCH /api/v2/settings/auth',
  tag,
  scope: 'auth:write',
  summary: 'Update sign-in settings',
  description:
    'Changes the fields in the body. The resulting settings must be consistent. SAML requires `sso_metadata_url`. OIDC requires `sso_issuer`, `sso_client_id` and `sso_client_secret`. Enforcement and mode `sso` require `sso_enabled`. Enabling SSO requires plan team, SCIM plan enterprise (402).',
  request: () => ({ body: patchBody(orgAuthPatchFields()) }),
  answers: () => ({ 200: orgAuthSchema() }),
  published: [
    {
      id: 'settings.auth.update',
      records: { request: 'UpdateAuthConfigRequest', answer: 'AuthConfigResponse' },
      wire: authView,
    },
  ],
  refusals: ['plan_limit_reached'],
  access: { ...changeAccess, secrets: { action: 'encrypt', purpose: 'sso' } },
  audit: { action: 'org_auth.updated', resource: 'org_auth' },
})
