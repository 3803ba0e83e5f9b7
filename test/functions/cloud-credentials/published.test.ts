/** Credentials as the platform's published clients know them. Every answer is held against its closed record. */
import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { keyOf } from '../../../shared/cloud-credentials/entity.ts'
import { decrypt } from '../../../shared/secrets/decrypt.ts'
import { invoke, invokePublished, type Request } from '../../support/invoke.ts'
import { makeBusyOrg, type TestOrg } from '../../support/orgs.ts'
import { rowsOf } from '../../support/rows.ts'

const api_key = 'sk-cred-81Kq07Wm53Tn29Rb'

let org: TestOrg
beforeAll(async () => {
  org = await makeBusyOrg()
})

type Verb = 'create' | 'list' | 'get' | 'update' | 'delete'
const request = (more: Request) => ({ token: org.adminKey, ...more })
const call = <Name extends Verb>(verb: Name, more: Request = {}) =>
  invokePublished(`cloud-credentials/${verb}`, request(more))
const on = (credential_id: string) => ({ params: { credential_id } })
const ours = async (id: string) => (await invoke('cloud-credentials/get', request(on(id)))).body
const patch = (id: string, body: object) => call('update', { ...on(id), body })

async function make(more: object = {}): Promise<string> {
  const made = await call('create', { body: { provider: 'anthropic', api_key, ...more } })
  expect(made.status, made.text).toBe(201)
  return made.body.id
}

test('a credential of a provider and a key alone is active, and its label is `default`', async () => {
  const made = await call('create', { body: { provider: 'anthropic', api_key } })
  expect(made.status, made.text).toBe(201)
  const { id, created_at } = made.body
  expect(made.body).toEqual({
    ...{ id, provider: 'anthropic', label: 'default', is_active: true, base_url: null },
    ...{ last_used_at: null, last_error: null, created_at, updated_at: created_at },
  })
  expect(made.headers.location).toBe(`/api/v1/settings/cloud-credentials/${id}`)
  expect((await call('get', on(id))).body).toEqual(made.body)
  expect((await call('list')).body[0]).toEqual(made.body)
  const [row] = await rowsOf(org.orgId, `CRED#${id}`)
  expect((await decrypt(row?.ciphertext as Uint8Array, keyOf(org.orgId, id))).reveal()).toBe(api_key)
})

test('null in a create means the same as an absent field', async () => {
  const { label, base_url } = (await call('get', on(await make({ label: null, base_url: null })))).body
  expect([label, base_url]).toEqual(['default', null])
})

describe('a patch', () => {
  const changes: [object, object][] = [
    [{ label: 'spare' }, { name: 'spare' }],
    [{ is_active: false }, { enabled: false }],
    [{ api_key: 'sk-cred-64Zx90Hj35Dg17Pf' }, { masked: '…17Pf', key_version: 2 }],
    [
      { label: 'both', is_active: false },
      { name: 'both', enabled: false },
    ],
    [{ label: null, is_active: null, api_key: null, base_url: null }, {}],
    [{}, {}],
  ]

  test.each(changes)('of %j changes nothing that it does not name', async (body, changed) => {
    const id = await make()
    const before = await ours(id)
    const patched = await patch(id, body)
    expect(patched.status, patched.text).toBe(200)
    expect(await ours(id)).toEqual({ ...before, ...changed, updated_at: patched.body.updated_at })
    expect((await call('get', on(id))).body).toEqual(patched.body)
  })

  test('of `base_url` needs the key in the same request', async () => {
    const id = await make({ provider: 'openai_compatible', base_url: 'https://one.example/v1' })
    const refused = await patch(id, { base_url: 'https://two.example/v1' })
    expect([refused.status, refused.body.error.details.errors[0].path]).toEqual([400, 'api_key'])
    const moved = await patch(id, { base_url: 'https://two.example/v1', api_key })
    expect(moved.body.base_url, moved.text).toBe('https://two.example/v1')
  })
})

test('faults have the published names of their fields', async () => {
  const body = { provider: 'acme', label: ' ', name: 'x' }
  const refused = await call('create', { body })
  expect(refused.status).toBe(400)
  const paths = refused.body.error.details.errors.map(({ path }: { path: string }) => path)
  expect(paths.sort()).toEqual(['api_key', 'label', 'name'])
  const unknown = await call('create', { body: { provider: 'acme', api_key } })
  expect(unknown.body.error.details.errors[0].path).toBe('provider')
  const off = await patch(await make(), { is_active: 'no' })
  expect(off.body.error.details.errors[0].path).toBe('is_active')
})

test('a credential that is deleted, or belongs to another organization, is `credential_not_found`', async () => {
  const id = await make()
  const stranger = await makeBusyOrg()
  for (const verb of ['get', 'update', 'delete'] as const) {
    const foreign = await call(verb, {
      ...on(id),
      token: stranger.adminKey,
      ...(verb === 'update' ? { body: {} } : {}),
    })
    expect([foreign.status, foreign.body.error.code]).toEqual([404, 'credential_not_found'])
  }
  const removed = await call('delete', on(id))
  expect([removed.status, removed.text]).toEqual([204, ''])
  expect((await call('delete', on(id))).body.error.code).toBe('credential_not_found')
})

test('a credential of our own face is the same through the published one, and back', async () => {
  const name = fc.string({ minLength: 1, maxLength: 100, unit: fc.constantFrom('a', 'Ü', '/', '日', '😀') })
  await fc.assert(
    fc.asyncProperty(name, fc.boolean(), async (name, enabled) => {
      const body = { provider: 'groq', name, enabled, api_key }
      const { id } = (await invoke('cloud-credentials/create', request({ body }))).body
      const { label, is_active } = (await call('get', on(id))).body
      const copy = await make({ provider: 'groq', label })
      await patch(copy, { is_active })
      expect(await ours(copy)).toMatchObject({ name, enabled })
      for (const made of [id, copy]) await call('delete', on(made))
    }),
    { numRuns: 10 },
  )
})
