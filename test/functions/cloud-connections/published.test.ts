/** Connections as the platform's published clients know them. Every answer is held against its closed record. */
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { invoke, invokePublished, type Request } from '../../support/invoke.ts'
import { makeBusyOrg, type TestOrg } from '../../support/orgs.ts'
import { json, openAiModels, startProvider, type TestProvider } from '../../support/provider.ts'

const api_key = 'sk-conn-81Kq07Wm53Tn29Rb'

let org: TestOrg
let server: TestProvider
beforeAll(async () => {
  org = await makeBusyOrg()
  server = await startProvider()
  process.env.PROVIDER_BASE_URLS = `openai=${server.url}/v1`
})
afterAll(() => {
  delete process.env.PROVIDER_BASE_URLS
  server.close()
})

type Verb = 'create' | 'list' | 'get' | 'update' | 'delete' | 'models' | 'test'
const request = (more: Request) => ({ token: org.adminKey, ...more })
const call = <Name extends Verb>(verb: Name, more: Request = {}) =>
  invokePublished(`cloud-connections/${verb}`, request(more))
const on = (connection_id: string) => ({ params: { connection_id } })
const ours = async (id: string) => (await invoke('cloud-connections/get', request(on(id)))).body
const theirs = async (id: string) => (await call('get', on(id))).body
const patch = (id: string, body: object) => call('update', { ...on(id), body })
const required = { provider: 'openai', connection_type: 'byok', api_key }

async function make(more: object = {}): Promise<string> {
  const made = await call('create', { body: { ...required, ...more } })
  expect(made.status, made.text).toBe(201)
  return made.body.id
}

test('a connection of a provider, its type and a key alone is active, verified, and its label is `default`', async () => {
  server.answer(openAiModels)
  const made = await call('create', { body: required })
  expect(made.status, made.text).toBe(201)
  const { id, created_at } = made.body
  expect(made.body).toEqual({
    ...{ id, org_id: org.orgId, provider: 'openai', connection_type: 'byok', status: 'active', label: 'default' },
    ...{ base_url: null, last_used_at: created_at, last_error: null, error_count: 0, created_at },
    ...{ verification_status: 'verified', verification_latency_ms: expect.any(Number), last_verified_at: created_at },
  })
  expect(made.headers.location).toBe(`/api/v1/settings/cloud-connections/${id}`)
  expect(await theirs(id)).toEqual(made.body)
  expect((await call('list')).body[0]).toEqual(made.body)
  expect((await call('models', on(id))).body).toEqual({ models: ['model-a', 'model-b'] })
})

test('null in a create means the same as an absent field', async () => {
  const made = await theirs(await make({ label: null, base_url: null }))
  expect([made.label, made.base_url]).toEqual(['default', null])
})

test('a test counts the failures since the last success, with the last error', async () => {
  server.answer(openAiModels)
  const id = await make()
  server.answer(json({ error: { message: 'the reason' } }, 500))
  for (const error_count of [1, 2]) {
    const tested = await call('test', on(id))
    expect(tested.body).toEqual({ success: false, error: expect.any(String), latency_ms: expect.any(Number) })
    const { last_error, last_used_at, created_at, ...rest } = await theirs(id)
    expect([rest.error_count, last_error]).toEqual([error_count, tested.body.error])
    expect(last_used_at > created_at).toBe(true)
  }
  server.answer(openAiModels)
  expect((await call('test', on(id))).body).toMatchObject({ success: true, error: null })
  expect(await theirs(id)).toMatchObject({ error_count: 0, last_error: null })
})

test('a provider that fails to list its models is `upstream_provider_error`', async () => {
  const id = await make()
  server.answer(json({}, 500))
  const failed = await call('models', on(id))
  expect([failed.status, failed.body.error.code]).toEqual([502, 'upstream_provider_error'])
})

test('an Azure resource is called at its host, with the key in Azure’s header', async () => {
  server.answer(openAiModels)
  const azure = { ...required, provider: 'azure_openai' }
  const refused = await call('create', { body: azure })
  expect([refused.status, refused.body.error.details.errors[0].path]).toEqual([400, 'base_url'])
  server.requests.length = 0
  const made = await call('create', { body: { ...azure, base_url: server.url } })
  expect(made.body, made.text).toMatchObject({
    ...{ provider: 'azure_openai', base_url: server.url, verification_status: 'verified' },
  })
  expect(server.requests).toHaveLength(1)
  const [asked] = server.requests
  expect(asked).toMatchObject({ path: '/openai/v1/models', headers: { 'api-key': api_key } })
  expect(asked?.headers.authorization).toBeUndefined()
  expect((await ours(made.body.id)).provider).toBe('azure_openai')
})

describe('a patch', () => {
  const changes: [object, object][] = [
    [{ label: 'spare' }, { name: 'spare' }],
    [{ status: 'disabled' }, { enabled: false }],
    [{ status: 'active' }, {}],
    [
      { label: 'both', status: 'disabled' },
      { name: 'both', enabled: false },
    ],
    [{ label: null, status: null, api_key: null, base_url: null }, {}],
    [{}, {}],
  ]

  test.each(changes)('of %j changes nothing that it does not name', async (body, changed) => {
    const choice = { priority: 3, weight: 5, rpm_limit: 10, tpm_limit: 1000 }
    server.answer(openAiModels)
    const made = { provider: 'openai', name: 'prod', api_key, ...choice }
    const { id } = (await invoke('cloud-connections/create', request({ body: made }))).body
    const before = await ours(id)
    const patched = await patch(id, body)
    expect(patched.status, patched.text).toBe(200)
    const after = await ours(id)
    expect(after).toEqual({ ...before, ...changed, updated_at: after.updated_at })
    expect(await theirs(id)).toEqual(patched.body)
  })

  test('of the key verifies it', async () => {
    server.answer(openAiModels)
    const id = await make()
    server.answer(json({}, 401))
    const patched = await patch(id, { api_key: `${api_key}-wrong` })
    expect(patched.body).toMatchObject({ verification_status: 'invalid_credential', error_count: 1 })
  })

  test('of `base_url` needs the key in the same request', async () => {
    server.answer(openAiModels)
    const id = await make({ provider: 'openai_compatible', base_url: `${server.url}/v1` })
    const refused = await patch(id, { base_url: `${server.url}/v2` })
    expect([refused.status, refused.body.error.details.errors[0].path]).toEqual([400, 'api_key'])
    expect((await patch(id, { base_url: `${server.url}/v2`, api_key })).body.base_url).toBe(`${server.url}/v2`)
  })
})

test.each([
  ['a managed connection', { connection_type: 'managed' }, 'connection_type'],
  ['no type', { connection_type: undefined }, 'connection_type'],
  ['no key', { api_key: undefined }, 'api_key'],
  ['a key that is null', { api_key: null }, 'api_key'],
  ['an unknown provider', { provider: 'acme' }, 'provider'],
  ['a blank label', { label: ' ' }, 'label'],
  ['a base URL where none may be', { base_url: 'https://one.example' }, 'base_url'],
  ['a field of our own face', { name: 'prod' }, 'name'],
])('%s is 400 under the published name', async (_what, change, path) => {
  const refused = await call('create', { body: { ...required, ...change } })
  expect(refused.status).toBe(400)
  expect(refused.body.error.details.errors.map((fault: { path: string }) => fault.path)).toEqual([path])
})

test('a status other than `active` or `disabled` is 400', async () => {
  const refused = await patch(await make(), { status: 'paused' })
  expect([refused.status, refused.body.error.details.errors[0].path]).toEqual([400, 'status'])
})

test('a connection that is deleted, or belongs to another organization, is `connection_not_found`', async () => {
  const id = await make()
  const stranger = await makeBusyOrg()
  for (const verb of ['get', 'update', 'delete', 'models', 'test'] as const) {
    const foreign = await call(verb, {
      ...on(id),
      token: stranger.adminKey,
      ...(verb === 'update' ? { body: {} } : {}),
    })
    expect([foreign.status, foreign.body.error.code]).toEqual([404, 'connection_not_found'])
  }
  const removed = await call('delete', on(id))
  expect([removed.status, removed.text]).toEqual([204, ''])
  expect((await call('delete', on(id))).body.error.code).toBe('connection_not_found')
})

test('a connection of our own face is the same through the published one, and back', async () => {
  server.answer(openAiModels)
  const name = fc.string({ minLength: 1, maxLength: 100, unit: fc.constantFrom('a', 'Ü', '/', '日', '😀') })
  await fc.assert(
    fc.asyncProperty(name, fc.boolean(), async (name, enabled) => {
      const body = { provider: 'openai', name, enabled, api_key }
      const { id } = (await invoke('cloud-connections/create', request({ body }))).body
      const { label, status } = await theirs(id)
      const copy = await make({ label })
      await patch(copy, { status })
      expect(await ours(copy)).toMatchObject({ name, enabled })
      for (const made of [id, copy]) await call('delete', on(made))
    }),
    { numRuns: 10 },
  )
})
