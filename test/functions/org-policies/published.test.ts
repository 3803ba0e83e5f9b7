/** Policies as the platform's published clients know them. Every answer is held against its closed record. */
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { policiesUpdate, policiesView } from '../../../functions/org-policies/wire.ts'
import {
  type OrgPoliciesView,
  orgPoliciesFields,
  privacyModes,
  servingPolicies,
} from '../../../shared/org-policies/record.ts'
import { trailEnd } from '../../support/governance.ts'
import { invoke, invokePublished } from '../../support/invoke.ts'
import { makeBusyOrg, type TestOrg } from '../../support/orgs.ts'
import { expectRecord } from '../../support/published.ts'

let org: TestOrg
beforeEach(async () => {
  org = await makeBusyOrg()
})

const get = () => invokePublished('org-policies/get', { token: org.adminKey })
const patch = (body: object, headers: Record<string, string> = {}) =>
  invokePublished('org-policies/update', { token: org.adminKey, body, headers })
const ours = async () => (await invoke('org-policies/get', { token: org.adminKey })).body
const patchOurs = (body: object) => invoke('org-policies/update', { token: org.adminKey, body })
const pathsOf = ({ body }: { body: { error: { details: { errors: { path: string }[] } } } }) =>
  body.error.details.errors.map(({ path }) => path)

test('the defaults are served with the serving policy as an object', async () => {
  const { status, body } = await get()
  expect([status, body]).toEqual([
    200,
    { serving_policy: { policy: 'auto' }, telemetry_enabled: true, privacy_mode: 'standard' },
  ])
})

describe('a patch of the policies', () => {
  test.each([
    [{ telemetry_enabled: false }, { telemetry_enabled: false }],
    [{ privacy_mode: 'strict' }, { privacy_mode: 'strict' }],
    [{ privacy_mode: 'off' }, { privacy_mode: 'zero_retention' }],
    [{ serving_policy: { policy: 'private' } }, { serving_policy: 'private' }],
    [{ serving_policy: { region: 'eu' } }, { serving_policy_options: { region: 'eu' } }],
    [
      { serving_policy: { policy: 'auto', tiers: [{ name: 'a' }], max: null } },
      { serving_policy: 'auto', serving_policy_options: { tiers: [{ name: 'a' }], max: null } },
    ],
  ])('%j changes %j on our face and nothing else', async (body, changed) => {
    const before = { serving_policy: 'cloud_first', serving_policy_options: {}, telemetry_enabled: true }
    await patchOurs(before)
    const patched = await patch(body)
    expect(patched.status, patched.text).toBe(200)
    expect(patched.body).toMatchObject(body)
    expect((await get()).body).toEqual(patched.body)
    expect(await ours()).toEqual({ privacy_mode: 'standard', ...before, ...changed })
  })

  test('replaces the members besides `policy`, which a write on our face keeps', async () => {
    await patch({ serving_policy: { policy: 'private', region: 'eu', tier: 1 } })
    await patchOurs({ serving_policy: 'cloud_only' })
    expect((await get()).body.serving_policy).toEqual({ policy: 'cloud_only', region: 'eu', tier: 1 })
    const patched = await patch({ serving_policy: { tier: 2 } })
    expect(patched.body.serving_policy).toEqual({ policy: 'cloud_only', tier: 2 })
  })

  test('that is empty, or names everything as null, changes nothing', async () => {
    await patch({ serving_policy: { policy: 'private', tier: 1 }, privacy_mode: 'off' })
    const [before, end] = [await ours(), await trailEnd(org)]
    for (const body of [{}, { serving_policy: null, telemetry_enabled: null, privacy_mode: null }]) {
      const patched = await patch(body)
      expect([patched.status, patched.body]).toEqual([200, (await get()).body])
    }
    expect(await ours()).toEqual(before)
    expect(await trailEnd(org)).toBe(end)
  })

  test.each<[object, string[]]>([
    [{ serving_policy: { policy: 'edge' } }, ['serving_policy.policy']],
    [{ serving_policy: 'private' }, ['serving_policy']],
    [{ serving_policy: { tiers: Array(4100).fill(0) } }, ['serving_policy']],
    [{ privacy_mode: 'zero_retention' }, ['privacy_mode']],
    [{ telemetry_enabled: 'no' }, ['telemetry_enabled']],
    [{ serving_policy_options: {} }, ['serving_policy_options']],
  ])('%# is refused by its published name', async (body, paths) => {
    const before = await ours()
    const refused = await patch(body)
    expect([refused.status, pathsOf(refused)]).toEqual([400, paths])
    expect(await ours()).toEqual(before)
  })

  test('is refused when If-Match names another state', async () => {
    const { etag = '' } = (await get()).headers
    expect((await patch({ telemetry_enabled: false }, { 'if-match': etag })).status).toBe(200)
    const stale = await patch({ telemetry_enabled: true }, { 'if-match': etag })
    expect([stale.status, stale.body.error.code]).toEqual([412, 'conflict'])
  })
})

test('policies of ours come back unchanged from a record that a client reads and patches', () => {
  const context = { orgId: 'org_1', once: {}, unchanged: false, query: {}, now: new Date() }
  const { toAnswer } = policiesView()
  const { body, toInput } = policiesUpdate()
  const options = fc
    .dictionary(fc.string({ maxLength: 8 }), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 5 })
    .map((members) => JSON.parse(JSON.stringify(members)))
    .filter((members) => !/"(?:policy|__proto__)":/.test(JSON.stringify(members)))
  const policies: fc.Arbitrary<OrgPoliciesView> = fc.record({
    serving_policy: fc.constantFrom(...servingPolicies),
    serving_policy_options: options,
    telemetry_enabled: fc.boolean(),
    privacy_mode: fc.constantFrom(...privacyModes),
  })
  fc.assert(
    fc.property(policies, (stored) => {
      const record = toAnswer?.(stored as never, context)
      expectRecord('PoliciesResponse', record)
      const back = toInput?.(body?.parse(record) as never, context)
      expect(back).toEqual(stored)
      for (const [name, field] of Object.entries(orgPoliciesFields())) {
        expect(field.safeParse(stored[name as keyof OrgPoliciesView]).success).toBe(true)
      }
    }),
  )
})
