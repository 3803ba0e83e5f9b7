/**
 * A new secret with the same mask changes no field of the view, but it must change the ETag. All writes here happen in the
 * same millisecond, so that no time in the view differs either.
 */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { OperationName } from '../../functions/operations.ts'
import { invoke } from '../support/invoke.ts'
import { makeBusyOrg, type TestOrg } from '../support/orgs.ts'
import { expectProblem } from '../support/problems.ts'
import { startProvider, type TestProvider } from '../support/provider.ts'

interface Kind {
  folder: string
  param?: string
  create?: OperationName
  read: OperationName
  update: OperationName
  remove?: OperationName
  made: (secret: string) => object
  replaced: (secret: string) => object
}

const kinds: Kind[] = [
  {
    folder: 'auth',
    read: 'org-auth/get',
    update: 'org-auth/update',
    made: (sso_client_secret) => ({ sso_client_secret }),
    replaced: (sso_client_secret) => ({ sso_client_secret }),
  },
  {
    folder: 'integrations',
    param: 'integration_id',
    create: 'integrations/create',
    read: 'integrations/get',
    update: 'integrations/update',
    remove: 'integrations/delete',
    made: (api_key) => ({ type: 'opsgenie', name: 'pages', config: { api_key } }),
    replaced: (api_key) => ({ config: { api_key } }),
  },
  {
    folder: 'cloud-credentials',
    param: 'credential_id',
    create: 'cloud-credentials/create',
    read: 'cloud-credentials/get',
    update: 'cloud-credentials/update',
    remove: 'cloud-credentials/delete',
    made: (api_key) => ({ provider: 'anthropic', name: 'claude', api_key }),
    replaced: (api_key) => ({ api_key }),
  },
  {
    folder: 'cloud-connections',
    param: 'connection_id',
    create: 'cloud-connections/create',
    read: 'cloud-connections/get',
    update: 'cloud-connections/update',
    remove: 'cloud-connections/delete',
    made: (api_key) => ({ provider: 'openai_compatible', name: 'gateway', base_url: `${provider.url}/v1`, api_key }),
    replaced: (api_key) => ({ api_key }),
  },
  {
    folder: 'execution',
    param: 'target_id',
    create: 'execution/create-local-target',
    read: 'execution/get-local-target',
    update: 'execution/update-local-target',
    remove: 'execution/delete-local-target',
    made: (api_key) => ({ name: 'gpu box', endpoint: provider.url, runtime: 'vllm', api_key }),
    replaced: (api_key) => ({ api_key }),
  },
]

const secrets = ['one', 'another', 'third'].map((word) => `${word}-93d7-4e58-8f0b-2d7c5a91e3f4`)

let org: TestOrg
let provider: TestProvider
beforeAll(async () => {
  provider = await startProvider()
  org = await makeBusyOrg()
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
})
afterAll(() => {
  vi.useRealTimers()
  provider.close()
})

describe.each(kinds)('a secret of $folder that is replaced by one with the same mask', (kind) => {
  let params: Record<string, string> = {}
  const etags: string[] = []
  const ask = (name: OperationName, body?: object, match?: string) =>
    invoke(name, {
      token: org.adminKey,
      params,
      ...(body ? { body } : {}),
      ...(match === undefined ? {} : { headers: { 'if-match': match } }),
    })

  test('moves the ETag, of its own answer and of the reads after it', async () => {
    const [first = '', ...others] = secrets
    const made = await ask(kind.create ?? kind.update, kind.made(first))
    if (kind.param) params = { [kind.param]: made.body.id }
    etags.push(made.headers.etag ?? '')
    expect((await ask(kind.read)).headers.etag).toBe(etags[0])
    for (const secret of others) {
      const { status, headers } = await ask(kind.update, kind.replaced(secret), etags.at(-1))
      expect(status).toBe(200)
      expect((await ask(kind.read)).headers.etag).toBe(headers.etag)
      etags.push(headers.etag ?? '')
    }
    expect(new Set(etags).size).toBe(secrets.length)
  })

  test('is not overwritten, nor deleted, by who has read the one before', async () => {
    for (const stale of etags.slice(0, -1)) {
      expectProblem(await ask(kind.update, kind.replaced('of-who-knows-not-e3f4'), stale), 'precondition_failed')
      if (kind.remove) expectProblem(await ask(kind.remove, undefined, stale), 'precondition_failed')
    }
    if (kind.remove) expect((await ask(kind.remove, undefined, etags.at(-1))).status).toBe(204)
  })
})
