/** BYOK credentials: stored encrypted, replaced, audited, listed and deleted, and never verified. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { credentials, keyOf } from '../../../shared/cloud-credentials/entity.ts'
import { providerNames, providersWithoutRoot } from '../../../shared/providers/providers.ts'
import { decrypt } from '../../../shared/secrets/decrypt.ts'
import { expectWholeChain, trailEnd } from '../../support/governance.ts'
import { invoke, type Request } from '../../support/invoke.ts'
import { makeBusyOrg, makeKey, type TestOrg, tokenFor } from '../../support/orgs.ts'
import { bareProblem, expectProblem, faultPaths } from '../../support/problems.ts'
import { startProvider, type TestProvider } from '../../support/provider.ts'
import { putRow, rowsOf } from '../../support/rows.ts'

const key = 'sk-cred-81Kq07Wm53Tn29Rb'
const newKey = 'sk-cred-64Zx90Hj35Dg17Pf'

type Extra = Pick<Request, 'headers' | 'token'>
function credentialsOf({ adminKey: token }: Pick<TestOrg, 'adminKey'>) {
  const on = (id: string) => ({ token, params: { credential_id: id } })
  const create = (body: unknown, extra: Extra = {}) => invoke('cloud-credentials/create', { token, body, ...extra })
  return {
    create,
    make: async (more: object = {}) => {
      const response = await create({ provider: 'anthropic', name: 'claude', api_key: key, ...more })
      expect(response.status, response.text).toBe(201)
      return { record: response.body, id: response.body.id as string, etag: response.headers.etag ?? '' }
    },
    list: (query: Record<string, string> = {}) => invoke('cloud-credentials/list', { token, query }),
    get: (id: string) => invoke('cloud-credentials/get', on(id)),
    patch: (id: string, body: unknown, extra: Extra = {}) =>
      invoke('cloud-credentials/update', { ...on(id), body, ...extra }),
    remove: (id: string, extra: Extra = {}) => invoke('cloud-credentials/delete', { ...on(id), ...extra }),
    eventsOf: async (id: string) =>
      (await invoke('audit-events/list', { token, query: { resource_id: id } })).body.data.reverse(),
  }
}

let org: TestOrg
let on: ReturnType<typeof credentialsOf>
let server: TestProvider
beforeAll(async () => {
  org = await makeBusyOrg()
  on = credentialsOf(org)
  server = await startProvider()
  process.env.PROVIDER_BASE_URLS = providerNames.map((name) => `${name}=${server.url}/v1`).join(',')
})
afterAll(() => {
  delete process.env.PROVIDER_BASE_URLS
  expect(server.requests, 'a credential is tried by nobody').toEqual([])
  server.close()
})

async function rowOf(id: string) {
  const [row] = await rowsOf(org.orgId, `CRED#${id}`)
  if (!row) throw new Error(`there is no credential ${id}`)
  return row
}
const storedKey = async (id: string): Promise<string> =>
  (await decrypt((await rowOf(id)).ciphertext as Uint8Array, keyOf(org.orgId, id))).reveal()

async function expectUntouched(id: string, run: () => Promise<unknown>): Promise<void> {
  const [row, end] = [await rowOf(id), await trailEnd(org)]
  await run()
  expect(await rowOf(id)).toEqual(row)
  expect(await trailEnd(org)).toBe(end)
}

describe('creating a credential', () => {
  test.each(providerNames)('of %s stores the key encrypted and shows its end', async (provider) => {
    const base_url = providersWithoutRoot.includes(provider) ? `${server.url}/v1` : null
    const response = await on.create({ provider, name: 'prod', api_key: key, ...(base_url ? { base_url } : {}) })
    expect(response.status).toBe(201)
    expect(response.body).toEqual({
      id: expect.stringMatching(/^cred_[0-9a-z]{26}$/),
      provider,
      name: 'prod',
      base_url,
      enabled: true,
      masked: '…29Rb',
      key_version: 1,
      created_at: expect.any(String),
      updated_at: response.body.created_at,
    })
    expect(response.headers.location).toBe(`/api/v2/settings/cloud-credentials/${response.body.id}`)
    const got = await on.get(response.body.id)
    expect([got.text, got.headers.etag]).toEqual([response.text, response.headers.etag])
    expect(await storedKey(response.body.id)).toBe(key)
  })

  test('keeps keys of every length that is allowed, and shows nothing of short ones', async () => {
    for (const [api_key, masked] of [
      ['k', '…'],
      ['12345678901', '…'],
      ['123456789012', '…9012'],
      ['x'.repeat(4096), '…xxxx'],
    ] as const) {
      const { id, record } = await on.make({ api_key })
      expect(record.masked).toBe(masked)
      expect(await storedKey(id)).toBe(api_key)
    }
  })

  test.each([
    ['nothing', {}, ['api_key', 'name', 'provider']],
    ['an unknown provider', { provider: 'nobody', name: 'x', api_key: key }, ['provider']],
    ['no base URL where one is needed', { provider: 'openai_compatible', name: 'x', api_key: key }, ['base_url']],
    ['no host of an Azure resource', { provider: 'azure_openai', name: 'x', api_key: key }, ['base_url']],
    [
      'a base URL where none may be',
      { provider: 'openai', name: 'x', api_key: key, base_url: 'https://a.example.com' },
      ['base_url'],
    ],
    ['a key that is too long', { provider: 'openai', name: 'x', api_key: 'x'.repeat(4097) }, ['api_key']],
    ['a key that no header can carry', { provider: 'openai', name: 'x', api_key: 'a\nb' }, ['api_key']],
    ['a mask', { provider: 'openai', name: 'x', api_key: '…29Rb' }, ['api_key']],
    ['a field of connections', { provider: 'openai', name: 'x', api_key: key, weight: 1 }, ['weight']],
    ['a blank name', { provider: 'openai', name: '  ', api_key: key }, ['name']],
  ])('with %s is 400 naming it', async (_what, body, paths) => {
    const refused = await on.create(body)
    expectProblem(refused, 'invalid_input')
    expect(faultPaths(refused).sort()).toEqual(paths)
    expect(refused.text).not.toContain(key)
  })

  test('replays under an Idempotency-Key, and is another request with another key', async () => {
    const extra = { headers: { 'idempotency-key': 'one' } }
    const body = { provider: 'groq', name: 'x', api_key: key }
    const first = await on.create(body, extra)
    const again = await on.create(body, extra)
    expect([again.status, again.text]).toEqual([201, first.text])
    expectProblem(await on.create({ ...body, api_key: newKey }, extra), 'idempotency_mismatch')
  })

  test('needs an org key or an admin', async () => {
    const body = { provider: 'groq', name: 'x', api_key: key }
    expectProblem(await on.create(body, { token: await tokenFor(org.orgId, 'member') }), 'forbidden')
    expectProblem(await on.create(body, { token: org.readOnlyKey }), 'forbidden')
    const appKey = await makeKey(org, {}, 'api-keys/create-app-key')
    expectProblem(await on.create(body, { token: appKey.api_key }), 'forbidden')
    expect((await on.create(body, { token: await tokenFor(org.orgId, 'admin') })).status).toBe(201)
  })
})

describe('patching a credential', () => {
  test('with a key replaces the ciphertext, increments the version, and leaves an event without either key', async () => {
    const { id } = await on.make()
    const before = await rowOf(id)
    const patched = await on.patch(id, { api_key: newKey })
    expect(patched.body).toMatchObject({ masked: '…17Pf', key_version: 2, name: 'claude' })
    const after = await rowOf(id)
    expect(after.ciphertext).not.toEqual(before.ciphertext)
    expect(await storedKey(id)).toBe(newKey)
    // The service cannot compare keys, so the same key again counts as a new key.
    expect((await on.patch(id, { api_key: newKey })).body.key_version).toBe(3)
    const [, updated] = await on.eventsOf(id)
    expect(updated).toMatchObject({ action: 'cloud_credential.updated', resource: { type: 'cloud_credential', id } })
    expect(updated?.changes).toEqual(
      expect.arrayContaining([
        { field: 'masked', before: '…29Rb', after: '…17Pf' },
        { field: 'key_version', before: 1, after: 2 },
      ]),
    )
    expect(updated?.changes.length).toBe(2)
    expect(JSON.stringify(updated)).not.toMatch(/ciphertext|sk-cred/)
  })

  test('with a new base URL needs the key; the stored URL is not a new one', async () => {
    const { id } = await on.make({ provider: 'openai_compatible', base_url: `${server.url}/v1` })
    await expectUntouched(id, async () => {
      const refused = await on.patch(id, { base_url: `${server.url}/v2` })
      expectProblem(refused, 'invalid_input')
      expect(faultPaths(refused)).toEqual(['api_key'])
      expect((await on.patch(id, { base_url: `${server.url}/v1` })).status).toBe(200)
    })
    const moved = await on.patch(id, { base_url: `${server.url}/v2/`, api_key: newKey })
    expect(moved.body).toMatchObject({ base_url: `${server.url}/v2`, key_version: 2 })
  })

  test('that is empty of changes, invalid, or under another ETag changes nothing and leaves no event', async () => {
    const { id, etag } = await on.make()
    await expectUntouched(id, async () => {
      expect((await on.patch(id, { name: 'claude' })).headers.etag).toBe(etag)
      for (const [body, path] of [
        [{}, ''],
        [{ name: null }, 'name'],
        [{ api_key: null }, 'api_key'],
        [{ base_url: 'https://a.example.com', api_key: newKey }, 'base_url'],
        [{ provider: 'openai', name: 'x' }, 'provider'],
        [{ key_version: 7, name: 'x' }, 'key_version'],
      ] as const) {
        const refused = await on.patch(id, body)
        expectProblem(refused, 'invalid_input')
        expect(faultPaths(refused)).toEqual([path])
      }
      const stale = { headers: { 'if-match': '"other"' } }
      expectProblem(await on.patch(id, { api_key: newKey }, stale), 'precondition_failed')
      expectProblem(await on.remove(id, stale), 'precondition_failed')
    })
    expect((await on.patch(id, { name: 'x' }, { headers: { 'if-match': etag } })).status).toBe(200)
  })

  test('switches it off and on; one from before there was a switch is on', async () => {
    const { id } = await on.make()
    const { enabled: _enabled, ...old } = await rowOf(id)
    await putRow(old)
    expect((await on.get(id)).body.enabled).toBe(true)
    expect((await on.patch(id, { enabled: true })).headers.etag).toBe((await on.get(id)).headers.etag)
    expect((await on.patch(id, { enabled: false })).body.enabled).toBe(false)
    expect((await on.get(id)).body.enabled).toBe(false)
    const [, updated, ...more] = await on.eventsOf(id)
    expect([updated?.changes, more]).toEqual([[{ field: 'enabled', before: true, after: false }], []])
  })

  test('20 concurrent times loses none: the view shows the last stored key', async () => {
    const { id } = await on.make()
    const all = Array.from({ length: 20 }, (_, index) => `sk-cred-race-${1000 + index}`)
    const answers = await Promise.all(all.map((api_key) => on.patch(id, { api_key })))
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200))
    expect(answers.map(({ body }) => body.key_version).sort((a, b) => a - b)).toEqual(all.map((_, index) => index + 2))
    const { body } = await on.get(id)
    expect(body.key_version).toBe(21)
    expect((await storedKey(id)).slice(-4)).toBe(body.masked.slice(1))
    await expectWholeChain(org)
  })
})

describe('a credential’s end and its trail', () => {
  test('it is deleted with its key, once, with an event', async () => {
    const { id } = await on.make({ name: 'told' })
    expect((await on.remove(id)).status).toBe(204)
    expectProblem(await on.remove(id), 'not_found')
    expect(await rowsOf(org.orgId, `CRED#${id}`)).toEqual([])
    const [created, deleted, ...more] = await on.eventsOf(id)
    expect(more).toEqual([])
    expect(created?.action).toBe('cloud_credential.created')
    const fields = (created?.changes ?? []).map(({ field, after }) => [field, after])
    expect(Object.fromEntries(fields)).toEqual({
      ...{ provider: 'anthropic', name: 'told', enabled: true, masked: '…29Rb', key_version: 1 },
    })
    expect(deleted).toMatchObject({ action: 'cloud_credential.deleted', resource: { id, name: 'told' } })
  })
})

describe('another org', () => {
  test('gets the same answer for a credential as for a missing one', async () => {
    const { id } = await on.make()
    const stranger = credentialsOf(await makeBusyOrg())
    const unknown = `cred_${'0'.repeat(26)}`
    await expectUntouched(id, async () => {
      for (const ask of [
        (asked: string) => stranger.get(asked),
        (asked: string) => stranger.patch(asked, { name: 'mine' }),
        (asked: string) => stranger.patch(asked, { api_key: newKey }),
        (asked: string) => stranger.remove(asked),
      ]) {
        const [foreign, nothing] = [await ask(id), await ask(unknown)]
        expectProblem(foreign, 'not_found')
        expect(bareProblem(foreign)).toEqual(bareProblem(nothing))
      }
      expect((await stranger.list()).body).toEqual({ data: [], next_cursor: null })
    })
  })

  test('cannot decrypt a ciphertext copied to it, nor a copy in another row of the same org', async () => {
    const thief = await makeBusyOrg()
    const { id } = await on.make()
    const other = await on.make()
    const { ciphertext } = await rowOf(id)
    await putRow({ ...(await rowOf(other.id)), ciphertext })
    await expect(storedKey(other.id)).rejects.toMatchObject({ code: 'server_error', details: { retryable: false } })
    await expect(decrypt(ciphertext as Uint8Array, keyOf(thief.orgId, id))).rejects.toMatchObject({
      code: 'server_error',
    })
    const asConnection = { ...keyOf(org.orgId, id), purpose: 'cloud_connection' as const }
    await expect(decrypt(ciphertext as Uint8Array, asConnection)).rejects.toMatchObject({ code: 'server_error' })
    expect(await storedKey(id)).toBe(key)
  })
})

describe('the list', () => {
  test('is newest first, by provider where one is named, and never with a key', async () => {
    const mine = credentialsOf(await makeBusyOrg())
    const made = []
    for (const provider of ['openai', 'groq', 'openai']) made.push((await mine.make({ provider })).record)
    const all = await mine.list()
    expect(all.body).toEqual({ data: made.toReversed(), next_cursor: null })
    expect(all.text).not.toMatch(/sk-cred|ciphertext/)
    expect((await mine.list({ provider: 'groq' })).body.data).toEqual([made[1]])
    expectProblem(await mine.list({ provider: 'nobody' }), 'invalid_input')
    expectProblem(await mine.list({ provider: 'OpenAI' }), 'invalid_input')
  })

  test('has at most 100; one more is 409, and after a delete there is room for one', async () => {
    const mine = credentialsOf(await makeBusyOrg())
    expect(credentials.max).toBe(100)
    let last = ''
    for (let count = 0; count < 100; count++) last = (await mine.make()).id
    const refused = await mine.create({ provider: 'groq', name: 'x', api_key: key })
    expectProblem(refused, 'conflict')
    expect(refused.body.detail).toContain('100')
    await mine.remove(last)
    expect((await mine.create({ provider: 'groq', name: 'x', api_key: key })).status).toBe(201)
  })
})
