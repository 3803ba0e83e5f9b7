import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { interceptTable } from '../../support/faults.ts'
import { eventsOf, expectWholeChain, makeOrgOn, putOnPlan, seal, trailEnd } from '../../support/governance.ts'
import { invoke, type Response } from '../../support/invoke.ts'
import { makeBusyOrg, type TestOrg } from '../../support/orgs.ts'
import { expectProblem, faultPaths } from '../../support/problems.ts'
import { memberOf } from '../../support/readable.ts'
import { rowsOf } from '../../support/rows.ts'

let org: TestOrg
beforeAll(async () => {
  org = await makeBusyOrg()
})
afterEach(() => {
  vi.useRealTimers()
})

const get = ({ adminKey } = org) => invoke('org-settings/get', { token: adminKey })
const patch = (body: unknown, { adminKey } = org, headers: Record<string, string> = {}) =>
  invoke('org-settings/update', { token: adminKey, body, headers })

/** Asserts that a patch is refused as invalid, naming exactly these fields, and that nothing is left of it. */
async function expectRefused(body: unknown, paths: string[], of = org): Promise<Response> {
  const before = await get(of)
  const end = await trailEnd(of)
  const response = await patch(body, of)
  expectProblem(response, 'invalid_input')
  expect(faultPaths(response).sort()).toEqual([...paths].sort())
  const after = await get(of)
  expect(after.body).toEqual(before.body)
  expect(after.headers.etag).toBe(before.headers.etag)
  expect(await trailEnd(of)).toBe(end)
  return response
}

const flags = [
  'require_mfa_for_admin',
  'mfa_required',
  'require_admin_approval',
  'require_model_approval',
  'auto_rollback_enabled',
]
const ranges: [string, number, number][] = [
  ['audit_retention_days', 30, 3650],
  ['session_duration_hours', 1, 720],
  ['reauth_interval_minutes', 5, 1440],
]

describe('the bounds of each field', () => {
  test.each(ranges)('%s is accepted from %i to %i, and just outside it is 400 and named', async (field, min, max) => {
    for (const value of [min, max]) {
      expect(memberOf((await patch({ [field]: value })).body, field)).toBe(value)
      expect(memberOf((await get()).body, field)).toBe(value)
    }
    for (const value of [min - 1, max + 1, min + 0.5, String(min)]) {
      await expectRefused({ [field]: value }, [field])
    }
  })

  test.each(flags)('%s is true or false and nothing that looks like it', async (field) => {
    for (const value of [true, false]) expect(memberOf((await patch({ [field]: value })).body, field)).toBe(value)
    for (const value of ['true', 1, 0, {}]) await expectRefused({ [field]: value }, [field])
  })

  test('default_region is us, eu or ap', async () => {
    for (const region of ['eu', 'ap', 'us']) {
      expect((await patch({ default_region: region })).body.default_region).toBe(region)
    }
    for (const region of ['EU', 'us-east-1', '', 1]) await expectRefused({ default_region: region }, ['default_region'])
  })

  test.each([...flags, ...ranges.map(([field]) => field), ...['hipaa_mode', 'default_region', 'allow_lockout']])(
    'null is refused for %s, which is never empty',
    async (field) => {
      await expectRefused({ auto_rollback_enabled: true, [field]: null }, [field])
    },
  )
})

describe('ip_allowlist', () => {
  test('is cleared by null', async () => {
    expect((await patch({ ip_allowlist: [callers] })).body.ip_allowlist).toEqual([callers])
    const cleared = await patch({ ip_allowlist: null })
    expect({ status: cleared.status, list: cleared.body.ip_allowlist }).toEqual({ status: 200, list: [] })
    expect((await get()).body.ip_allowlist).toEqual([])
  })

  test.each([
    ['10.0.0.0', '10.0.0.0/32'],
    ['2001:db8::1', '2001:db8::1/128'],
  ])('names the range that one address is: %s', async (address, range) => {
    const { status, body } = await patch({ ip_allowlist: [address] })
    expect([status, body.detail]).toEqual([400, expect.stringContaining(`write ${range}`)])
    expect((await patch({ ip_allowlist: [range, callers] })).status).toBe(200)
  })

  const callers = '127.0.0.0/8'

  test.each([
    '203.0.113.0/24',
    '203.0.113.7/32',
    '0.0.0.0/0',
    '2001:db8::/32',
    '2001:db8::1/128',
    '::ffff:203.0.113.0/120',
  ])('takes %s', async (range) => {
    const { status, body } = await patch({ ip_allowlist: [callers, range] })
    expect({ status, list: body.ip_allowlist }).toEqual({ status: 200, list: [callers, range] })
    expect((await get()).body.ip_allowlist).toEqual([callers, range])
  })

  test.each([
    ['an address without a prefix', '203.0.113.7'],
    ['an IPv6 address without a prefix', '2001:db8::1'],
    ['an IPv4 prefix over 32', '203.0.113.0/33'],
    ['an IPv6 prefix over 128', '2001:db8::/129'],
    ['a negative prefix', '203.0.113.0/-1'],
    ['an empty prefix', '203.0.113.0/'],
    ['two prefixes', '203.0.113.0/24/24'],
    ['a number above 255', '203.0.256.0/24'],
    ['three numbers', '203.0.113/24'],
    ['a leading zero', '203.0.113.010/32'],
    ['a zone', 'fe80::1%eth0/64'],
    ['a name', 'office.example.com/32'],
    ['what an URL parser would take for an address and more', '::1]#[/64'],
    ['white space', ' 203.0.113.0/24'],
    ['nothing', ''],
    ['a number', 7],
    ['null', null],
  ])('refuses %s and names its position', async (_what, range) => {
    const response = await expectRefused({ ip_allowlist: [callers, range] }, ['ip_allowlist.1'])
    expect(response.body.errors[0].message).toContain('CIDR')
  })

  test('holds 100 ranges and not 101', async () => {
    const list = (length: number) => Array.from({ length }, (_, index) => (index ? `10.0.${index}.0/24` : callers))
    expect((await patch({ ip_allowlist: list(100) })).body.ip_allowlist).toHaveLength(100)
    await expectRefused({ ip_allowlist: list(101) }, ['ip_allowlist'])
  })

  test('is cleared by the empty list', async () => {
    await patch({ ip_allowlist: [callers] })
    expect((await patch({ ip_allowlist: [] })).body.ip_allowlist).toEqual([])
  })
})

describe('what a patch must hold', () => {
  test('an empty patch is 400, and so is one that holds nothing but allow_lockout', async () => {
    for (const body of [{}, { allow_lockout: true }, { allow_lockout: false }]) await expectRefused(body, [''])
  })

  test.each([
    ['null', null],
    ['a list', []],
    ['a text', 'hipaa_mode'],
    ['a number', 1],
  ])('%s is no patch', async (_, body) => {
    await expectRefused(body, [''])
  })

  test('unknown fields are 400, each named, and what stands beside them is not applied', async () => {
    await expectRefused({ default_region: 'ap', hippa_mode: true, 'ip allowlist': [], org_id: org.orgId }, [
      'hippa_mode',
      'ip allowlist',
      'org_id',
    ])
  })

  test('every fault is named at once', async () => {
    await expectRefused(
      {
        audit_retention_days: 0,
        session_duration_hours: 0,
        ip_allowlist: ['x', '10.0.0.0/8', 'y'],
        default_region: null,
      },
      ['audit_retention_days', 'session_duration_hours', 'ip_allowlist.0', 'ip_allowlist.2', 'default_region'],
    )
  })

  test('a caller without settings:write is 403 and the attempt is recorded', async () => {
    const response = await invoke('org-settings/update', { token: org.readOnlyKey, body: { mfa_required: true } })
    expectProblem(response, 'forbidden')
    expect(response.body.detail).toContain('settings:write')
    const events = await eventsOf(org, 'org_settings.updated')
    expect(events.at(-1)).toMatchObject({ result: 'denied', request_id: response.body.request_id, changes: [] })
  })
})

describe('a patch', () => {
  test('changes the fields that are in it and keeps the rest; a get then equals its answer', async () => {
    const own = await makeBusyOrg()
    const before = (await get(own)).body
    const wanted = { audit_retention_days: 400, default_region: 'ap', require_model_approval: true }
    const patched = await patch(wanted, own)
    expect(patched.status).toBe(200)
    expect(patched.body).toEqual({ ...before, ...wanted, updated_at: patched.body.updated_at })
    const read = await get(own)
    expect(read.text).toBe(patched.text)
    expect(read.headers.etag).toBe(patched.headers.etag)
  })

  test('works on an org whose settings were never read', async () => {
    const own = await makeBusyOrg()
    const { status, body } = await patch({ default_region: 'eu' }, own)
    expect(status).toBe(200)
    expect(body).toMatchObject({ default_region: 'eu', session_duration_hours: 24 })
    expect((await get(own)).body).toEqual(body)
    await expectWholeChain(own)
  })

  test('is told in one event with before and after of each field that changed, and of no other', async () => {
    const own = await makeBusyOrg()
    await get(own)
    const { body, headers } = await patch(
      { ip_allowlist: ['127.0.0.1/32'], reauth_interval_minutes: 30, session_duration_hours: 24 },
      own,
    )
    expect(body.session_duration_hours).toBe(24)
    const events = await eventsOf(own, 'org_settings.updated')
    expect(events).toHaveLength(1)
    expect(events[0]).toMatchObject({
      result: 'success',
      actor: { type: 'api_key' },
      resource: { type: 'org_settings', id: own.orgId },
      request_id: headers['x-request-id'],
    })
    expect(events[0]?.changes.sort((a, b) => (a.field < b.field ? -1 : 1))).toEqual([
      { field: 'ip_allowlist', before: [], after: ['127.0.0.1/32'] },
      { field: 'reauth_interval_minutes', before: 60, after: 30 },
    ])
  })

  test('that changes nothing answers the record and appends no event', async () => {
    const own = await makeBusyOrg()
    const before = await get(own)
    const end = await trailEnd(own)
    const patched = await patch({ session_duration_hours: 24, ip_allowlist: [], allow_lockout: true }, own)
    expect(patched.status).toBe(200)
    expect(patched.body).toEqual(before.body)
    expect(patched.headers.etag).toBe(before.headers.etag)
    expect(await trailEnd(own)).toBe(end)
  })

  test('never tells or keeps allow_lockout', async () => {
    const own = await makeBusyOrg()
    const { body } = await patch({ auto_rollback_enabled: true, allow_lockout: true }, own)
    expect(body).not.toHaveProperty('allow_lockout')
    expect(JSON.stringify(await rowsOf(own.orgId, 'SETTINGS'))).not.toContain('allow_lockout')
    expect(JSON.stringify(await eventsOf(own, 'org_settings.updated'))).not.toContain('allow_lockout')
  })
})

describe('hipaa_mode', () => {
  test.each(['free', 'team'] as const)('on plan %s is 402 and names enterprise; nothing changes', async (plan) => {
    const own = await makeOrgOn(plan)
    const before = await get(own)
    const end = await trailEnd(own)
    const response = await patch({ hipaa_mode: true, default_region: 'eu' }, own)
    expectProblem(response, 'plan_limit_reached')
    expect(faultPaths(response)).toEqual(['hipaa_mode'])
    expect(response.body.detail).toContain('enterprise')
    expect((await get(own)).body).toEqual(before.body)
    expect(await trailEnd(own)).toBe(end)
    expect((await patch({ hipaa_mode: false, default_region: 'eu' }, own)).status).toBe(200)
  })

  test('raises what is below its floor in the same write, and the one event tells of all of it', async () => {
    const own = await makeOrgOn('enterprise')
    const before = (await get(own)).body
    const { status, body } = await patch({ hipaa_mode: true }, own)
    expect(status).toBe(200)
    expect(body).toEqual({
      ...before,
      updated_at: body.updated_at,
      hipaa_mode: true,
      audit_retention_days: 2190,
      session_duration_hours: 8,
      reauth_interval_minutes: 30,
      require_mfa_for_admin: true,
    })
    expect((await get(own)).body).toEqual(body)
    const events = await eventsOf(own, 'org_settings.updated')
    expect(events).toHaveLength(1)
    expect(Object.fromEntries(events[0]?.changes.map(({ field, ...rest }) => [field, rest]) ?? [])).toEqual({
      hipaa_mode: { before: false, after: true },
      audit_retention_days: { before: 365, after: 2190 },
      session_duration_hours: { before: 24, after: 8 },
      reauth_interval_minutes: { before: 60, after: 30 },
      require_mfa_for_admin: { before: false, after: true },
    })
  })

  test('leaves alone what is above its floor already', async () => {
    const own = await makeOrgOn('enterprise')
    const stricter = { audit_retention_days: 3650, session_duration_hours: 2, reauth_interval_minutes: 5 }
    await patch(stricter, own)
    expect((await patch({ hipaa_mode: true }, own)).body).toMatchObject({ ...stricter, require_mfa_for_admin: true })
  })

  const belowFloor: [string, unknown, unknown][] = [
    ['audit_retention_days', 2189, 2190],
    ['session_duration_hours', 9, 8],
    ['reauth_interval_minutes', 31, 30],
    ['require_mfa_for_admin', false, true],
  ]

  test.each(belowFloor)(
    '%s %j is 400 with the rule and the fix while it is on, and in the patch that switches it on',
    async (field, bad, good) => {
      const own = await makeOrgOn('enterprise')
      await expectRefused({ hipaa_mode: true, [field]: bad }, [field], own)
      expect((await patch({ hipaa_mode: true }, own)).status).toBe(200)
      const refused = await expectRefused({ [field]: bad, default_region: 'eu' }, [field], own)
      const [{ message }] = refused.body.errors
      expect(message).toContain(String(good))
      expect(message).toContain('hipaa_mode')
      expect((await patch({ [field]: good, default_region: 'eu' }, own)).status).toBe(200)
      expect((await patch({ hipaa_mode: false, [field]: bad }, own)).body).toMatchObject({
        hipaa_mode: false,
        [field]: bad,
      })
    },
  )

  test('every field below the floor is named at once, before the plan is asked for', async () => {
    await expectRefused(
      { hipaa_mode: true, ...Object.fromEntries(belowFloor.map(([field, bad]) => [field, bad])) },
      belowFloor.map(([field]) => field),
    )
  })

  test('survives a downgrade: the floor holds, other patches work, and switching it on again needs the plan again', async () => {
    const own = await makeOrgOn('enterprise')
    await patch({ hipaa_mode: true }, own)
    await putOnPlan(own, 'free')
    expect((await get(own)).body.hipaa_mode).toBe(true)
    expect((await patch({ default_region: 'eu' }, own)).body).toMatchObject({ hipaa_mode: true, default_region: 'eu' })
    expect((await patch({ hipaa_mode: true, default_region: 'ap' }, own)).status).toBe(200)
    await expectRefused({ session_duration_hours: 24 }, ['session_duration_hours'], own)
    expect((await patch({ hipaa_mode: false }, own)).body.hipaa_mode).toBe(false)
    expectProblem(await patch({ hipaa_mode: true }, own), 'plan_limit_reached')
  })
})

describe('patches at once', () => {
  test('with the same If-Match: one lands, the others get 412, and nothing of theirs is merged', async () => {
    const own = await makeBusyOrg()
    const { headers, body } = await get(own)
    const wanted = [
      { audit_retention_days: 100, default_region: 'eu' },
      { session_duration_hours: 100, default_region: 'ap' },
      { reauth_interval_minutes: 100, auto_rollback_enabled: true },
    ]
    const answers = await Promise.all(wanted.map((part) => patch(part, own, { 'if-match': headers.etag ?? '' })))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412, 412])
    for (const answer of answers.filter(({ status }) => status === 412)) expectProblem(answer, 'precondition_failed')
    const winner = answers.findIndex(({ status }) => status === 200)
    const { updated_at: _time, ...before } = body
    expect((await get(own)).body).toMatchObject({ ...before, ...wanted[winner] })
    expect(await eventsOf(own, 'org_settings.updated')).toHaveLength(1)
    await expectWholeChain(own)
  })

  test('an If-Match that was right when the request began is 412 when another patch lands before its write', async () => {
    const own = await makeBusyOrg()
    const { headers } = await get(own)
    let overtaken = false
    const slow = await interceptTable(
      async ({ command }, send) => {
        if (command === 'TransactWriteItemsCommand' && !overtaken) {
          overtaken = true
          expect((await patch({ default_region: 'eu' }, own)).status).toBe(200)
        }
        return send()
      },
      () => patch({ session_duration_hours: 5 }, own, { 'if-match': headers.etag ?? '' }),
    )
    expect(overtaken).toBe(true)
    expectProblem(slow, 'precondition_failed')
    expect((await get(own)).body).toMatchObject({ default_region: 'eu', session_duration_hours: 24 })
  })

  test('If-Match takes the answer of a get and of a patch, a list and *; a stale or weak one is 412 even for no change', async () => {
    const own = await makeBusyOrg()
    const first = (await get(own)).headers.etag ?? ''
    const second = (await patch({ default_region: 'eu' }, own, { 'if-match': first })).headers.etag ?? ''
    expect((await patch({ default_region: 'ap' }, own, { 'if-match': `"nothing", ${second}` })).status).toBe(200)
    expect((await patch({ default_region: 'eu' }, own, { 'if-match': '*' })).status).toBe(200)
    for (const stale of [first, '"nothing"', `W/${second}`]) {
      expectProblem(await patch({ default_region: 'eu' }, own, { 'if-match': stale }), 'precondition_failed')
    }
  })

  test('without If-Match, 20 to different fields: all land and no field is lost', async () => {
    const own = await makeBusyOrg()
    const wanted: Record<string, unknown> = {
      audit_retention_days: 40,
      require_admin_approval: true,
      require_model_approval: true,
      auto_rollback_enabled: true,
      session_duration_hours: 48,
      reauth_interval_minutes: 90,
      mfa_required: true,
      require_mfa_for_admin: true,
      ip_allowlist: ['127.0.0.0/8'],
      default_region: 'eu',
    }
    const parts = Object.entries(wanted).flatMap(([field, value]) => [{ [field]: value }, { [field]: value }])
    const answers = await Promise.all(parts.map((part) => patch(part, own)))
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200))
    for (const [index, { body }] of answers.entries()) expect(body).toMatchObject(parts[index] ?? {})
    expect((await get(own)).body).toMatchObject({ ...wanted, hipaa_mode: false })
    const events = await eventsOf(own, 'org_settings.updated')
    expect(events.flatMap(({ changes }) => changes.map(({ field }) => field)).sort()).toEqual(
      Object.keys(wanted).sort(),
    )
    await expectWholeChain(own)
  })
})

describe('audit_retention_days', () => {
  /** Of all events, each sealed before the next change. */
  const expiries = async (of: TestOrg) => {
    await seal(of)
    return (await rowsOf(of.orgId, 'EVENT#')).map(({ timestamp, expires_at_epoch }) => ({
      days: (Number(expires_at_epoch) - Math.floor(Date.parse(String(timestamp)) / 1000)) / 86_400,
      expiry: Number(expires_at_epoch),
    }))
  }

  test('changes how long events are kept from its own event on, and not those before', async () => {
    const own = await makeBusyOrg()
    await get(own)
    const before = await expiries(own)
    expect(before.at(-1)?.days).toBe(365)
    await patch({ audit_retention_days: 3650 }, own)
    await patch({ default_region: 'eu' }, own)
    await invoke('org-policies/update', { token: own.adminKey, body: { privacy_mode: 'strict' } })
    const after = await expiries(own)
    expect(after.slice(0, before.length)).toEqual(before)
    // One block: all expire with its newest event.
    const added = after.slice(before.length)
    expect(added).toHaveLength(3)
    expect(new Set(added.map(({ expiry }) => expiry)).size).toBe(1)
    expect(added.at(-1)?.days).toBe(3650)
  })

  test('shortened, never lets a later event expire before an earlier one', async () => {
    const own = await makeBusyOrg()
    const start = Date.now()
    await patch({ audit_retention_days: 400 }, own)
    await seal(own)
    await patch({ audit_retention_days: 30 }, own)
    vi.useFakeTimers({ toFake: ['Date'], now: start + 20 * 86_400_000 })
    await patch({ default_region: 'eu' }, own)
    await seal(own)
    vi.setSystemTime(start + 380 * 86_400_000)
    await patch({ default_region: 'ap' }, own)
    const all = await expiries(own)
    for (const [index, { expiry }] of all.entries()) expect(expiry).toBeGreaterThanOrEqual(all[index - 1]?.expiry ?? 0)
    // Day 380 + 30 is past day 400: from there on the shorter retention shows.
    expect(all.at(-1)?.days).toBe(30)
    expect(all.at(-2)?.expiry).toBe(all.at(-3)?.expiry)
  })

  test('is raised by hipaa_mode, from the event of that patch on', async () => {
    const own = await makeOrgOn('enterprise')
    await patch({ hipaa_mode: true }, own)
    expect((await expiries(own)).at(-1)?.days).toBe(2190)
    await patch({ default_region: 'eu' }, own)
    expect((await expiries(own)).at(-1)?.days).toBe(2190)
  })
})
