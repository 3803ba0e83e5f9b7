/** BYOK credentials: encrypted keys for cloud AI providers, which inference uses. */
import * as z from 'zod'
import { changeAccess, deleteAccess, listAccess, readAccess } from '../../shared/access.ts'
import { credentialSchema } from '../../shared/cloud-credentials/record.ts'
import { operation } from '../../shared/http/operation.ts'
import { pageOf, pageQuery } from '../../shared/http/page.ts'
import { patchBody } from '../../shared/http/patch.ts'
import { idSchema } from '../../shared/ids.ts'
import { lazy } from '../../shared/lazy.ts'
import { createKeyFields, patchKeyFields } from '../../shared/providers/key-fields.ts'
import { providerField } from '../../shared/providers/providers.ts'
import { credentialCreation, credentialPatch, credentialView } from './wire.ts'

const tag = 'Cloud credentials'
const scope = 'cloud:credentials'
const resource = 'cloud_credential'
const params = lazy(() => z.object({ credential_id: idSchema('cred', 'Id of the credential.') }))

const enabledField = lazy(() => z.boolean().meta({ description: 'Whether inference may use the credential.' }))

export const createCredential = operation({
  id: 'settings.create-cloud-credential',
  route: 'POST /api/v2/settings/cloud-credentials',
  tag,
  scope,
  summary: 'Create a cloud credential',
  description: 'Encrypts and stores a provider key. Does not verify it. An organization has at most 100 credentials.',
  request: () => ({ body: z.strictObject({ ...createKeyFields(), enabled: enabledField().default(true) }) }),
  answers: () => ({ 201: credentialSchema() }),
  published: [
    {
      id: 'settings.cloud_credentials.create',
      records: { request: 'CreateCredentialRequest', answer: 'CredentialResponse' },
      located: true,
      wire: credentialCreation,
    },
  ],
  refusals: ['conflict'],
  access: { ...changeAccess, secrets: { action: 'encrypt', purpose: resource } },
  audit: { action: 'cloud_credential.created', resource },
})

export const listCredentials = operation({
  id: 'settings.list-cloud-credentials',
  route: 'GET /api/v2/settings/cloud-credentials',
  tag,
  scope,
  summary: 'List cloud credentials',
  description: 'Lists credentials, newest first. Metadata only.',
  request: () => ({
    query: z.object({
      provider: providerField().optional().meta({ description: 'Only credentials for this provider.' }),
      ...pageQuery(),
    }),
  }),
  answers: () => ({ 200: pageOf(credentialSchema()) }),
  published: [{ id: 'settings.cloud_credentials.list', records: { list: 'CredentialResponse' }, wire: credentialView }],
  access: listAccess,
})

export const getCredential = operation({
  id: 'settings.get-cloud-credential',
  route: 'GET /api/v2/settings/cloud-credentials/{credential_id}',
  tag,
  scope,
  summary: 'Get a cloud credential',
  description: 'Returns one credential. Metadata only.',
  request: () => ({ params: params() }),
  answers: () => ({ 200: credentialSchema() }),
  published: [
    {
      id: 'settings.cloud_credentials.get',
      records: { answer: 'CredentialResponse' },
      notFound: 'credential_not_found',
      wire: credentialView,
    },
  ],
  refusals: ['not_found'],
  access: readAccess,
})

export const updateCredential = operation({
  id: 'settings.update-cloud-credential',
  route: 'PATCH /api/v2/settings/cloud-credentials/{credential_id}',
  tag,
  scope,
  summary: 'Update a cloud credential',
  description:
    'Changes the fields in the body. A new `api_key` replaces the stored key and increments `key_version`. Changing `base_url` requires `api_key` in the same request, to prevent exfiltration of the key.',
  request: () => ({ params: params(), body: patchBody({ ...patchKeyFields(), enabled: enabledField() }) }),
  answers: () => ({ 200: credentialSchema() }),
  published: [
    {
      id: 'settings.cloud_credentials.update',
      records: { request: 'UpdateCredentialRequest', answer: 'CredentialResponse' },
      notFound: 'credential_not_found',
      wire: credentialPatch,
    },
  ],
  refusals: ['not_found'],
  access: { ...changeAccess, secrets: { action: 'encrypt', purpose: resource } },
  audit: { action: 'cloud_credential.updated', resource, param: 'credential_id' },
})

export const deleteCredential = operation({
  id: 'settings.delete-cloud-credential',
  route: 'DELETE /api/v2/settings/cloud-credentials/{credential_id}',
  tag,
  scope,
  summary: 'Delete a cloud credential',
  description: 'Deletes the credential and its key.',
  request: () => ({ params: params() }),
  answers: () => ({ 204: null }),
  published: [{ id: 'settings.cloud_credentials.delete', records: {}, notFound: 'credential_not_found' }],
  refusals: ['not_found'],
  access: deleteAccess,
  audit: { action: 'cloud_credential.deleted', resource, param: 'credential_id' },
})
