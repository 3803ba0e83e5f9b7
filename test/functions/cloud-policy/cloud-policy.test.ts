import { beforeAll, describe, expect, test } from 'vitest'
import { eventsOf, expectWholeChain, trailEnd } from '../../support/governance.ts'
import { invoke } from '../../support/invoke.ts'
import { makeBusyOrg, type TestOrg, tokenFor } from '../../support/orgs.ts'
import { expectProblem, faultPaths } from '../../support/problems.ts'
import { putRow, rowsOf } from '../../support/rows.ts'

let org: TestOrg
beforeAll(async () => {
  org = await makeBusyOrg()
})

const get = ({ adminKey } = org) => invoke('cloud-policy/get', { token: adminKey })
const patch = (body: unknown, { adminKey } = org, headers: Record<string, string> = {}) =>
  invoke('cloud-policy/update', { token: adminKey, body, headers })

const defaults = {
  cloud_enabled: true,
  credential_sources: ['byok', 'connection', 'managed'],
  provider_allowlist: null,
  default_fallback_model: null,
}

/** Resets the policy to the defaults. */
const reset = async () => expect((await patch(defaults)).status).toBe(200)

test('an org that has set nothing has the defaults, and reading them writes nothing', async () => {
  const own = await makeBusyOrg()
  const end = await trailEnd(own)
  const { status, body, headers } = await get(own)
  expect({ status, body }).toEqual({ status: 200, body: defaults })
  expect(headers.etag).toMatch(/^"[^"]+"$/)
  expect(await rowsOf(own.orgId, 'CLOUDPOLICY')).toEqual([])
  expect(await trailEnd(own)).toBe(end)
})

describe('a patch of the cloud policy', () => {
  test.each([
    ['cloud_enabled', false],
    ['cloud_enabled', true],
    ['credential_sources', ['managed']],
    ['credential_sources', ['byok', 'connection', 'managed']],
    ['provider_allowlist', ['openai', 'openai_compatible']],
    ['default_fallback_model', 'openai/gpt-5'],
    ['default_fallback_model', 'openai_compatible/org/model:7b@q4'],
    ['default_fallback_model', null],
    ['provider_allowlist', null],
  ])('sets %s to %j and keeps the rest; a get then equals its answer', async (field, value) => {
    const before = (await get()).body
    const patched = await patch({ [field]: value })
    expect(patched.status, patched.text).toBe(200)
    expect(patched.body).toEqual({ ...before, [field]: value })
    const read = await get()
    expect(read.text).toBe(patched.text)
    expect(read.headers.etag).toBe(patched.headers.etag)
  })

  test.each<[string, unknown[]]>([
    ['cloud_enabled', [null, 'true', 0, []]],
    ['credential_sources', [null, 'byok', ['BYOK'], ['byok', 'other'], [null], {}]],
    ['provider_allowlist', ['openai', ['OpenAI'], ['openai', 'azure'], [''], [null], {}]],
    [
      'default_fallback_model',
      ['', 'gpt-5', 'openai', 'openai/', '/gpt-5', 'azure/gpt-5', 'OpenAI/gpt-5', 'openai/ gpt', 'openai/a\n', 1, []],
    ],
  ])('is 400 naming %s for an invalid value, and no field is applied', async (field, values) => {
    await reset()
    const before = await get()
    const end = await trailEnd(org)
    const other = field === 'cloud_enabled' ? { credential_sources: ['byok'] } : { cloud_enabled: false }
    for (const value of values) {
      const refused = await patch({ ...other, [field]: value })
      expectProblem(refused, 'invalid_input')
      expect(
        faultPaths(refused).every((path) => path.split('.')[0] === field),
        `${refused.text} of ${JSON.stringify(value)}`,
      ).toBe(true)
    }
    expect((await get()).text).toBe(before.text)
    expect(await trailEnd(org)).toBe(end)
  })

  test('takes a model name of 300 characters and refuses one of 301', async () => {
    await reset()
    expect((await patch({ default_fallback_model: `xai/${'m'.repeat(300)}` })).status).toBe(200)
    expect(faultPaths(await patch({ default_fallback_model: `xai/${'m'.repeat(301)}` }))).toEqual([
      'default_fallback_model',
    ])
  })

  test('that is empty is 400, and unknown fields are each named', async () => {
    const empty = await patch({})
    expectProblem(empty, 'invalid_input')
    expect(faultPaths(empty)).toEqual([''])
    const unknown = await patch({ enabled: true, allowlist: [], cloud_enabled: true })
    expect(faultPaths(unknown).sort()).toEqual(['allowlist', 'enabled'])
  })

  test('keeps sets in one order, each entry once, so that the same set is the same policy', async () => {
    const own = await makeBusyOrg()
    const first = await patch(
      { credential_sources: ['managed', 'byok', 'managed'], provider_allowlist: ['xai', 'openai', 'xai', 'anthropic'] },
      own,
    )
    expect(first.body.credential_sources).toEqual(['byok', 'managed'])
    expect(first.body.provider_allowlist).toEqual(['openai', 'anthropic', 'xai'])
    const end = await trailEnd(own)
    const again = await patch(
      { provider_allowlist: ['anthropic', 'xai', 'openai'], credential_sources: ['byok', 'managed', 'byok'] },
      own,
    )
    expect([again.status, again.text, again.headers.etag]).toEqual([200, first.text, first.headers.etag])
    expect(await trailEnd(own)).toBe(end)
  })

  test('is one event with before and after of each changed field', async () => {
    const own = await makeBusyOrg()
    await patch({ cloud_enabled: true, provider_allowlist: ['openai'], default_fallback_model: 'openai/gpt-5' }, own)
    const { headers } = await patch({ provider_allowlist: null }, own)
    const events = await eventsOf(own, 'cloud_policy.updated')
    expect(events.map(({ result, resource, changes }) => ({ result, resource, changes }))).toEqual([
      {
        result: 'success',
        resource: { type: 'cloud_policy', id: own.orgId },
        changes: [
          { field: 'provider_allowlist', before: null, after: ['openai'] },
          { field: 'default_fallback_model', before: null, after: 'openai/gpt-5' },
        ],
      },
      {
        result: 'success',
        resource: { type: 'cloud_policy', id: own.orgId },
        changes: [{ field: 'provider_allowlist', before: ['openai'], after: null }],
      },
    ])
    expect(events[1]?.request_id).toBe(headers['x-request-id'])
    await expectWholeChain(own)
  })

  test('under If-Match is applied only to the policy that the caller read', async () => {
    await reset()
    const { headers } = await get()
    const wanted = { 'if-match': headers.etag ?? '' }
    const first = await patch({ credential_sources: ['byok'] }, org, wanted)
    expect(first.status).toBe(200)
    const end = await trailEnd(org)
    expectProblem(await patch({ credential_sources: ['managed'] }, org, wanted), 'precondition_failed')
    expect((await get()).text).toBe(first.text)
    expect(await trailEnd(org)).toBe(end)
    expect((await patch({ credential_sources: ['managed'] }, org, { 'if-match': '*' })).status).toBe(200)
  })

  test('of two at once loses neither', async () => {
    const own = await makeBusyOrg()
    const both = await Promise.all([
      patch({ provider_allowlist: ['openai'] }, own),
      patch({ credential_sources: ['managed'] }, own),
    ])
    expect(both.map(({ status }) => status)).toEqual([200, 200])
    expect((await get(own)).body).toEqual({
      ...defaults,
      provider_allowlist: ['openai'],
      credential_sources: ['managed'],
    })
    expect(await eventsOf(own, 'cloud_policy.updated')).toHaveLength(2)
  })

  test('needs settings:write; a denied attempt is recorded', async () => {
    const own = await makeBusyOrg()
    const member = await tokenFor(own.orgId, 'member')
    expect((await invoke('cloud-policy/get', { token: member })).status).toBe(200)
    expectProblem(await invoke('cloud-policy/update', { token: member, body: { cloud_enabled: false } }), 'forbidden')
    expect((await get(own)).body).toEqual(defaults)
    expect((await eventsOf(own, 'cloud_policy.updated')).map(({ result }) => result)).toEqual(['denied'])
  })
})

describe('a policy that contradicts itself', () => {
  test.each<[string, object, string[]]>([
    ['no source', { credential_sources: [] }, ['credential_sources']],
    ['an empty allowlist', { provider_allowlist: [] }, ['provider_allowlist']],
    [
      'a default model whose provider is not allowed',
      { provider_allowlist: ['anthropic'], default_fallback_model: 'openai/gpt-5' },
      ['default_fallback_model'],
    ],
    [
      'all of them at once',
      { credential_sources: [], provider_allowlist: [], default_fallback_model: 'openai/gpt-5' },
      ['credential_sources', 'provider_allowlist', 'default_fallback_model'],
    ],
  ])('by %s is 400 naming it while the cloud is enabled, and fine while it is not', async (_name, body, paths) => {
    await reset()
    const end = await trailEnd(org)
    const refused = await patch(body)
    expectProblem(refused, 'invalid_input')
    expect(faultPaths(refused)).toEqual(paths)
    expect(refused.body.errors.map(({ code }: { code: string }) => code)).toEqual(paths.map(() => 'contradiction'))
    expect((await get()).body).toEqual(defaults)
    expect(await trailEnd(org)).toBe(end)

    const off = await patch({ ...body, cloud_enabled: false })
    expect(off.status, off.text).toBe(200)
    expect(off.body).toEqual({ ...defaults, ...body, cloud_enabled: false })
    const on = await patch({ cloud_enabled: true })
    expectProblem(on, 'invalid_input')
    expect(faultPaths(on)).toEqual(paths)
    expect((await get()).body.cloud_enabled).toBe(false)
    const mended = await patch({ ...defaults, cloud_enabled: true })
    expect(mended.body).toEqual(defaults)
  })

  test('is found where one half is stored and the other is sent', async () => {
    await reset()
    expect((await patch({ default_fallback_model: 'openai/gpt-5' })).status).toBe(200)
    expect(faultPaths(await patch({ provider_allowlist: ['anthropic', 'xai'] }))).toEqual(['default_fallback_model'])
    expect((await patch({ provider_allowlist: ['anthropic', 'openai'] })).status).toBe(200)
    expect(faultPaths(await patch({ default_fallback_model: 'xai/grok' }))).toEqual(['default_fallback_model'])
    // Null allows all, an empty list none.
    const opened = await patch({ provider_allowlist: null, default_fallback_model: 'xai/grok' })
    expect(opened.body).toMatchObject({ provider_allowlist: null, default_fallback_model: 'xai/grok' })
    expect(faultPaths(await patch({ provider_allowlist: [] }))).toEqual([
      'provider_allowlist',
      'default_fallback_model',
    ])
  })

  test('that is already stored can be switched off and repaired, but not patched into another incoherent one', async () => {
    const own = await makeBusyOrg()
    const value = { ...defaults, credential_sources: [] }
    await putRow({ pk: `ORG#${own.orgId}`, sk: 'CLOUDPOLICY', value, version: 3 })
    expect(faultPaths(await patch({ default_fallback_model: 'openai/gpt-5' }, own))).toEqual(['credential_sources'])
    expect((await patch({ cloud_enabled: false }, own)).status).toBe(200)
    expect((await patch({ cloud_enabled: true, credential_sources: ['byok'] }, own)).status).toBe(200)
  })

  test('is refused before the precondition is looked at, and the policy of another org never matters', async () => {
    const [one, other] = [await makeBusyOrg(), await makeBusyOrg()]
    expect((await patch({ cloud_enabled: false }, one)).status).toBe(200)
    expect((await get(other)).body).toEqual(defaults)
    expectProblem(await patch({ credential_sources: [] }, other, { 'if-match': '"stale"' }), 'invalid_input')
  })
})
