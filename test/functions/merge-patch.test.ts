/** What merge-patch means, held against every one-of-a-kind resource that has a PATCH, with patches of all kinds. */
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import type { OperationName } from '../../functions/operations.ts'
import { eventsOf, expectWholeChain, trailEnd } from '../support/governance.ts'
import { invoke, type Response } from '../support/invoke.ts'
import { makeBusyOrg, makeKey, type TestOrg } from '../support/orgs.ts'
import { expectProblem, faultPaths } from '../support/problems.ts'
import { memberOf } from '../support/readable.ts'

type Body = Record<string, unknown>

interface Patchable {
  name: 'org-settings' | 'auth' | 'policies'
  read: OperationName
  update: OperationName
  action: string
  /** Values that are coherent with any other values, need no plan and lock no caller out. */
  fields: Record<string, fc.Arbitrary<unknown>>
  /** For each of some fields, what it cannot be. */
  faults: Record<string, fc.Arbitrary<unknown>>
}

const range = fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })).map(([address, prefix]) => `${address}/${prefix}`)
const range6 = fc.integer({ min: 0, max: 0xffff }).map((part) => `2001:db8:${part.toString(16)}::/48`)
/** Empty, or with the range that the tests call from. */
const allowlist = fc.oneof(
  fc.constant([]),
  fc.array(fc.oneof(range, range6), { maxLength: 5 }).map((ranges) => [...ranges, '127.0.0.0/8']),
)
const notBoolean = fc.constantFrom<unknown>(null, 'true', 'false', 0, 1, [], {})
const notChoice = fc.oneof(fc.constantFrom<unknown>(null, true, 0, [], {}), fc.string({ maxLength: 3 }))
const notIntegerWithin = (min: number, max: number) =>
  fc.oneof(
    fc.constantFrom<unknown>(null, true, String(min), [], {}),
    fc.integer({ max: min - 1 }),
    fc.integer({ min: max + 1 }),
    fc.integer({ min, max: max - 1 }).map((number) => number + 0.5),
  )

const patchables: Patchable[] = [
  {
    name: 'org-settings',
    read: 'org-settings/get',
    update: 'org-settings/update',
    action: 'org_settings.updated',
    fields: {
      audit_retention_days: fc.integer({ min: 30, max: 3650 }),
      require_mfa_for_admin: fc.boolean(),
      mfa_required: fc.boolean(),
      require_admin_approval: fc.boolean(),
      require_model_approval: fc.boolean(),
      auto_rollback_enabled: fc.boolean(),
      session_duration_hours: fc.integer({ min: 1, max: 720 }),
      reauth_interval_minutes: fc.integer({ min: 5, max: 1440 }),
      hipaa_mode: fc.constant(false),
      ip_allowlist: allowlist,
      default_region: fc.constantFrom('us', 'eu', 'ap'),
      protect_production: fc.boolean(),
      device_battery_threshold: fc.integer({ min: 0, max: 100 }),
      device_network_policy: fc.constantFrom('any', 'wifi_only', 'cellular_allowed'),
    },
    faults: {
      audit_retention_days: notIntegerWithin(30, 3650),
      session_duration_hours: notIntegerWithin(1, 720),
      reauth_interval_minutes: notIntegerWithin(5, 1440),
      mfa_required: notBoolean,
      hipaa_mode: notBoolean,
      ip_allowlist: fc.constantFrom<unknown>('127.0.0.0/8', {}, 7),
      default_region: notChoice,
    },
  },
  {
    name: 'auth',
    read: 'org-auth/get',
    update: 'org-auth/update',
    action: 'org_auth.updated',
    fields: {
      sso_enabled: fc.constant(false),
      sso_protocol: fc.constantFrom('saml', 'oidc', null),
      // A new one needs the client secret again: test/functions/org-auth/secret.test.ts.
      sso_metadata_url: fc.constant(null),
      sso_issuer: fc.constant(null),
      sso_client_id: fc.oneof(fc.constant(null), fc.string({ minLength: 1, maxLength: 255 })),
      sso_client_secret: fc.oneof(fc.constant(null), fc.string({ minLength: 1, maxLength: 40 })),
      sso_enforced: fc.constant(false),
      sso_default_role: fc.constantFrom('admin', 'member'),
      scim_enabled: fc.constant(false),
      primary_identity_mode: fc.constantFrom('password', 'oauth'),
      email_password_enabled: fc.constant(true),
      passkeys_enabled: fc.boolean(),
      sso_provider: fc.constantFrom(null, 'Okta'),
      sso_domain: fc.constantFrom(null, 'acme.example'),
    },
    faults: {
      sso_enabled: notBoolean,
      scim_enabled: notBoolean,
      sso_protocol: notChoice.filter((value) => value !== null),
      sso_default_role: notChoice,
      primary_identity_mode: notChoice,
      sso_client_id: fc.constantFrom<unknown>('', 7, [], 'x'.repeat(256)),
      sso_client_secret: fc.constantFrom<unknown>('', 7, {}, '…', '…1234', 'x'.repeat(4097)),
      sso_issuer: fc.constantFrom<unknown>('', 7, 'http://idp.example.com', 'https://127.0.0.1'),
      google_enabled: fc.constantFrom<unknown>(true, false, null),
    },
  },
  {
    name: 'policies',
    read: 'org-policies/get',
    update: 'org-policies/update',
    action: 'org_policies.updated',
    fields: {
      serving_policy: fc.constantFrom(
        'private',
        'local_first',
        'performance_first',
        'cloud_first',
        'cloud_only',
        'auto',
      ),
      serving_policy_options: fc.dictionary(fc.constantFrom('regions', 'note'), fc.integer()),
      telemetry_enabled: fc.boolean(),
      privacy_mode: fc.constantFrom('standard', 'strict', 'zero_retention'),
    },
    faults: { serving_policy: notChoice, telemetry_enabled: notBoolean, privacy_mode: notChoice },
  },
]

/** What a field that was written so is read as: a secret as `…` and its last 4 characters, or `…` when it is short. */
const shown = (field: string, value: unknown): unknown =>
  field === 'sso_client_secret' && typeof value === 'string' ? `…${value.length < 12 ? '' : value.slice(-4)}` : value
/** A record without the time of its last change. */
const steady = ({ updated_at: _time, ...body }: Body): Body => body
const asShown = (patch: Body): Body =>
  Object.fromEntries(Object.entries(patch).map(([field, value]) => [field, shown(field, value)]))

describe.each(patchables)('PATCH of $name', ({ read, update, action, fields, faults }) => {
  let org: TestOrg
  beforeAll(async () => {
    org = await makeBusyOrg()
  })
  const get = () => invoke(read, { token: org.adminKey })
  const patch = (body: unknown, headers: Record<string, string> = {}, token = org.adminKey) =>
    invoke(update, { token, body, headers })

  /** Some of the fields, maybe none. */
  const some = fc.record(fields, { requiredKeys: [] }) as fc.Arbitrary<Body>
  const atLeastOne = some.filter((body) => Object.keys(body).length > 0)
  const oneFault = fc
    .constantFrom(...Object.keys(faults))
    .chain((field) => fc.record({ field: fc.constant(field), value: faults[field] ?? fc.constant(null) }))

  /** A patch without any known field also gets a fault of the whole body. */
  const emptiness = (body: Body): string[] => (Object.keys(body).some((name) => name in fields) ? [] : [''])

  async function expectUnchanged(run: () => Promise<Response>, events = 0): Promise<Response> {
    const before = await get()
    const end = await trailEnd(org)
    const response = await run()
    const after = await get()
    expect(after.text).toBe(before.text)
    expect(after.headers.etag).toBe(before.headers.etag)
    expect(await trailEnd(org)).toBe(end + events)
    return response
  }

  test('the record has exactly the fields of the patch and those that cannot be patched', async () => {
    const { body } = await get()
    const readOnly = ['google_enabled', 'apple_enabled', 'github_enabled', 'created_at', 'updated_at']
    if (read === 'org-settings/get') readOnly.push('primary_identity_mode')
    expect(
      Object.keys(body)
        .filter((name) => !readOnly.includes(name))
        .sort(),
    ).toEqual(Object.keys(fields).sort())
  })

  test('absent fields stay the same, present ones are set; the answer, the next get and the ETag agree; a change leaves an event', async () => {
    await fc.assert(
      fc.asyncProperty(atLeastOne, async (body) => {
        const before = await get()
        const end = await trailEnd(org)
        const patched = await patch(body)
        const after = await get()
        expect(patched.status).toBe(200)
        expect(steady(patched.body)).toEqual({ ...steady(before.body), ...asShown(body) })
        expect(after.text).toBe(patched.text)
        expect(after.headers.etag).toBe(patched.headers.etag)
        // A secret that is written is a change even where its mask is that of the one before.
        const isChanged = before.text !== after.text || typeof body.sso_client_secret === 'string'
        expect(before.headers.etag !== after.headers.etag).toBe(isChanged)
        expect(await trailEnd(org)).toBe(end + (isChanged ? 1 : 0))
      }),
      { numRuns: 20 },
    )
    await expectWholeChain(org)
  })

  test('sent again it changes nothing and leaves no event', async () => {
    await fc.assert(
      fc.asyncProperty(atLeastOne, async (body) => {
        const { sso_client_secret: _sealedAnew, ...rest } = body
        fc.pre(Object.keys(rest).length > 0)
        const first = await patch(rest)
        const again = await expectUnchanged(() => patch(rest))
        expect({ status: again.status, text: again.text, etag: again.headers.etag }).toEqual({
          status: 200,
          text: first.text,
          etag: first.headers.etag,
        })
      }),
      { numRuns: 8 },
    )
  })

  test('a patch and its reverse lead back to the same record under the same ETag', async () => {
    await fc.assert(
      fc.asyncProperty(atLeastOne, async (body) => {
        const { sso_client_secret: _unreadable, ...rest } = body
        fc.pre(Object.keys(rest).length > 0)
        const before = await get()
        await patch(rest)
        const back = await patch(
          Object.fromEntries(Object.keys(rest).map((field) => [field, memberOf(before.body, field)])),
        )
        expect(steady(back.body)).toEqual(steady(before.body))
        // A later time of change is another version.
        if (!before.body.updated_at) expect(back.headers.etag).toBe(before.headers.etag)
      }),
      { numRuns: 8 },
    )
  })

  test('in two parts it leads where it leads as a whole, in either order', async () => {
    await fc.assert(
      fc.asyncProperty(atLeastOne, fc.boolean(), async (body, reversed) => {
        const names = Object.keys(body)
        fc.pre(names.length > 1)
        const whole = await patch(body)
        const parts = names.map((name) => ({ [name]: body[name] }))
        for (const part of reversed ? parts.reverse() : parts) expect((await patch(part)).status).toBe(200)
        expect(steady((await get()).body)).toEqual(steady(whole.body))
      }),
      { numRuns: 5 },
    )
  })

  test('with one invalid field, the whole is refused and the field named; nothing changes and no event is left', async () => {
    await fc.assert(
      fc.asyncProperty(some, oneFault, async (body, { field, value }) => {
        const refused = await expectUnchanged(() => patch({ ...body, [field]: value }))
        expectProblem(refused, 'invalid_input')
        expect(faultPaths(refused).sort()).toEqual([...emptiness({ ...body, [field]: value }), field])
      }),
      { numRuns: 20 },
    )
  })

  test('with unknown fields the whole is refused, each named', async () => {
    const unknown = fc
      .uniqueArray(fc.stringMatching(/^[a-z_]{1,20}$/), { minLength: 1, maxLength: 5 })
      .filter((names) => names.every((name) => !(name in fields) && !(name in faults) && name !== 'allow_lockout'))
    await fc.assert(
      fc.asyncProperty(some, unknown, fc.json(), async (body, names, value) => {
        const more = Object.fromEntries(names.map((name) => [name, JSON.parse(value)]))
        const refused = await expectUnchanged(() => patch({ ...body, ...more }))
        expectProblem(refused, 'invalid_input')
        expect(faultPaths(refused).sort()).toEqual([...emptiness(body), ...names.sort()])
      }),
      { numRuns: 10 },
    )
  })

  test('an empty one is refused, and so is a body that is no object', async () => {
    for (const body of [{}, [], null, 'text', 7, true]) {
      expectProblem(await expectUnchanged(() => patch(body)), 'invalid_input')
    }
    expectProblem(await expectUnchanged(() => patch(undefined)), 'invalid_input')
  })

  test('under another If-Match than the record’s it is 412; nothing changes and no event is left', async () => {
    await fc.assert(
      fc.asyncProperty(atLeastOne, fc.stringMatching(/^[\w-]{1,27}$/), async (body, tag) => {
        const refused = await expectUnchanged(() => patch(body, { 'if-match': `"${tag}"` }))
        expectProblem(refused, 'precondition_failed')
      }),
      { numRuns: 5 },
    )
  })

  test('by a caller without the scope it is 403 for any body; nothing changes and the only event is the denial', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(atLeastOne, fc.object() as fc.Arbitrary<Body>), async (body) => {
        // A key of its own: of one principal the first denial of a minute is recorded.
        const { api_key } = await makeKey(org)
        const refused = await expectUnchanged(() => patch(body, {}, api_key), 1)
        expectProblem(refused, 'forbidden')
        const [denial] = (await eventsOf(org, action)).filter(
          ({ request_id }) => request_id === refused.body.request_id,
        )
        expect(denial).toMatchObject({ result: 'denied', changes: [] })
      }),
      { numRuns: 5 },
    )
  })
})
