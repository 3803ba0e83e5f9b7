import { beforeAll, describe, expect, test } from 'vitest'
import { eventsOf, expectWholeChain, trailEnd } from '../../support/governance.ts'
import { invoke } from '../../support/invoke.ts'
import { makeBusyOrg, type TestOrg, tokenFor } from '../../support/orgs.ts'
import { expectProblem, faultPaths } from '../../support/problems.ts'
import { rowsOf } from '../../support/rows.ts'

let org: TestOrg
beforeAll(async () => {
  org = await makeBusyOrg()
})

const get = ({ adminKey } = org) => invoke('org-policies/get', { token: adminKey })
const patch = (body: unknown, { adminKey } = org, headers: Record<string, string> = {}) =>
  invoke('org-policies/update', { token: adminKey, body, headers })

const defaults = {
  serving_policy: 'auto',
  serving_policy_options: {},
  telemetry_enabled: true,
  privacy_mode: 'standard',
}

test('an org that has set nothing has the defaults, and reading them writes nothing', async () => {
  const own = await makeBusyOrg()
  const end = await trailEnd(own)
  const { status, body, headers } = await get(own)
  expect(status).toBe(200)
  expect(body).toEqual(defaults)
  expect(headers.etag).toMatch(/^"[^"]+"$/)
  expect(await rowsOf(own.orgId, 'POLICIES')).toEqual([])
  expect(await trailEnd(own)).toBe(end)
})

describe('a patch of the policies', () => {
  test.each([
    ...['private', 'local_first', 'performance_first', 'cloud_first', 'cloud_only', 'auto'].map((value) => [
      'serving_policy',
      value,
    ]),
    ...['strict', 'zero_retention', 'standard'].map((value) => ['privacy_mode', value]),
    ...[false, true].map((value) => ['telemetry_enabled', value]),
  ])('sets %s to %j and keeps the rest; a get then equals its answer', async (field, value) => {
    const before = (await get()).body
    const patched = await patch({ [String(field)]: value })
    expect(patched.status).toBe(200)
    expect(patched.body).toEqual({ ...before, [String(field)]: value })
    const read = await get()
    expect(read.text).toBe(patched.text)
    expect(read.headers.etag).toBe(patched.headers.etag)
  })

  test.each<[string, unknown[]]>([
    ['serving_policy', [null, 'Private', 'cloud', '', 1, ['auto']]],
    ['privacy_mode', [null, 'STRICT', 'none', '', true]],
    ['telemetry_enabled', [null, 'true', 0, 1]],
  ])('is 400 naming %s for an invalid value, and no field is applied', async (field, values) => {
    const before = await get()
    const end = await trailEnd(org)
    const other = field === 'telemetry_enabled' ? { privacy_mode: 'zero_retention' } : { telemetry_enabled: false }
    for (const value of values) {
      const refused = await patch({ ...other, [field]: value })
      expectProblem(refused, 'invalid_input')
      expect(faultPaths(refused)).toEqual([field])
    }
    expect((await get()).text).toBe(before.text)
    expect(await trailEnd(org)).toBe(end)
  })

  test('that is empty is 400, and unknown fields are each named', async () => {
    const empty = await patch({})
    expectProblem(empty, 'invalid_input')
    expect(faultPaths(empty)).toEqual([''])
    const unknown = await patch({ telemetry: false, privacy: 'strict', telemetry_enabled: false })
    expectProblem(unknown, 'invalid_input')
    expect(faultPaths(unknown).sort()).toEqual(['privacy', 'telemetry'])
  })

  test('of a field that every object has is refused by its name', async () => {
    for (const name of ['__proto__', 'constructor', 'toString']) {
      const rawBody = `{"telemetry_enabled":true,"${name}":{}}`
      const refused = await invoke('org-policies/update', { token: org.adminKey, rawBody })
      expectProblem(refused, 'invalid_input')
      expect(faultPaths(refused)).toEqual([name])
    }
  })

  test('is one event with before and after of each changed field; one that changes nothing is none', async () => {
    const own = await makeBusyOrg()
    const first = await patch({ serving_policy: 'private', telemetry_enabled: true, privacy_mode: 'strict' }, own)
    const again = await patch({ serving_policy: 'private', privacy_mode: 'strict' }, own)
    expect({ status: again.status, text: again.text, etag: again.headers.etag }).toEqual({
      status: 200,
      text: first.text,
      etag: first.headers.etag,
    })
    const events = await eventsOf(own, 'org_policies.updated')
    expect(events).toHaveLength(1)
    expect(events[0]).toMatchObject({
      result: 'success',
      actor: { type: 'api_key' },
      resource: { type: 'org_policies', id: own.orgId },
      request_id: first.headers['x-request-id'],
    })
    expect(events[0]?.changes.sort((a, b) => (a.field < b.field ? -1 : 1))).toEqual([
      { field: 'privacy_mode', before: 'standard', after: 'strict' },
      { field: 'serving_policy', before: 'auto', after: 'private' },
    ])
    await expectWholeChain(own)
  })

  test('by a member is 403 naming the scope, and is recorded', async () => {
    const own = await makeBusyOrg()
    const refused = await invoke('org-policies/update', {
      token: await tokenFor(own.orgId, 'member'),
      body: { privacy_mode: 'strict' },
    })
    expectProblem(refused, 'forbidden')
    expect(refused.body.detail).toContain('settings:write')
    expect((await get(own)).body).toEqual(defaults)
    expect(await eventsOf(own, 'org_policies.updated')).toMatchObject([{ result: 'denied', changes: [] }])
  })

  test('with the same If-Match as another at once: one lands, one is 412, nothing is merged', async () => {
    const own = await makeBusyOrg()
    const { headers, body } = await get(own)
    const wanted = [
      { serving_policy: 'private', privacy_mode: 'strict' },
      { serving_policy: 'cloud_only', telemetry_enabled: false },
    ]
    const answers = await Promise.all(wanted.map((part) => patch(part, own, { 'if-match': headers.etag ?? '' })))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412])
    const winner = answers.findIndex(({ status }) => status === 200)
    expectProblem(answers[1 - winner] as (typeof answers)[number], 'precondition_failed')
    expect((await get(own)).body).toEqual({ ...body, ...wanted[winner] })
    expect(await eventsOf(own, 'org_policies.updated')).toHaveLength(1)
  })

  test('without If-Match, at once with others to other fields: all land', async () => {
    const own = await makeBusyOrg()
    const wanted = { serving_policy: 'private', privacy_mode: 'strict', telemetry_enabled: false }
    const answers = await Promise.all(Object.entries(wanted).map(([field, value]) => patch({ [field]: value }, own)))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    expect((await get(own)).body).toEqual({ ...wanted, serving_policy_options: {} })
    await expectWholeChain(own)
  })

  test('changes only the org of its caller', async () => {
    const [own, other] = [await makeBusyOrg(), await makeBusyOrg()]
    await patch({ privacy_mode: 'zero_retention' }, own)
    expect((await get(other)).body).toEqual(defaults)
    const foreign = await invoke('org-policies/update', {
      token: own.adminKey,
      query: { org_id: other.orgId },
      body: { privacy_mode: 'strict' },
    })
    expectProblem(foreign, 'forbidden')
    expect((await get(other)).body).toEqual(defaults)
  })
})
