/** What a key issues or rotates holds no more than the key. */
import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { missingScopes, type Scope } from '../../../shared/auth/scopes.ts'
import { newId } from '../../../shared/ids.ts'
import { invoke, type Response } from '../../support/invoke.ts'
import { makeBusyOrg, makeKey, type TestOrg } from '../../support/orgs.ts'
import { expectProblem, faultPaths } from '../../support/problems.ts'
import { memberOf } from '../../support/readable.ts'

let org: TestOrg
beforeAll(async () => {
  org = await makeBusyOrg()
})

const scopes = ['keys:read', 'keys:write', 'catalog:read', 'models:read', 'cloud:inference', 'telemetry:write'] as const
const more = ['control:refresh', 'devices:register', 'devices:heartbeat', 'settings:read'] as const
const issuer = (fields: object = {}) =>
  makeKey(org, { scopes: [...scopes, ...more], rate_limit_per_minute: 100_000, ...fields })
const inHours = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString()

const issueOrg = (token: string, body: object = {}) =>
  invoke('api-keys/create', { token, body: { name: 'issued', scopes: ['keys:read'], ...body } })
const issueApp = (token: string, body: object = {}) =>
  invoke('api-keys/create-app-key', { token, body: { name: 'issued', app_id: 'app-1', ...body } })
const issuePublishable = (token: string, body: object = {}) =>
  invoke('api-keys/create-publishable-key', { token, body: { name: 'issued', ...body } })
const every = [issueOrg, issueApp, issuePublishable]
const rotate = (token: string, key_id: string, body: object = {}) =>
  invoke('api-keys/rotate', { token, params: { key_id }, body })

function expectRefused(response: Response, words: RegExp): void {
  expectProblem(response, 'forbidden')
  expect(response.body.detail).toMatch(words)
}

test('an expiring key issues keys that end no later, and by default with itself', async () => {
  const ends = inHours(1)
  const { api_key } = await issuer({ expires_at: ends })
  for (const issue of every) {
    expect((await issue(api_key)).body.expires_at).toBe(ends)
    expect((await issue(api_key, { expires_at: inHours(0.5) })).status).toBe(201)
    expectRefused(await issue(api_key, { expires_at: inHours(2) }), /expires later/)
    expectRefused(await issue(api_key, { expires_at: null }), /expires later/)
  }
  const endless = await makeKey(org)
  expectRefused(await rotate(api_key, endless.id), /expires later/)
})

test('a test key issues test keys, and by default no other', async () => {
  const { api_key } = await issuer({ environment: 'test' })
  for (const issue of every) {
    expect((await issue(api_key)).body.environment).toBe('test')
    expectRefused(await issue(api_key, { environment: 'live' }), /only test keys/)
  }
  expectRefused(await rotate(api_key, (await makeKey(org)).id), /only test keys/)
  expect((await issueOrg((await issuer()).api_key, { environment: 'test' })).status).toBe(201)
})

test.each(['federation_id', 'model_id'])(
  'a key that is bound to a %s issues org keys of the same alone',
  async (field) => {
    const { api_key } = await issuer({ [field]: 'mine' })
    expect(memberOf((await issueOrg(api_key)).body, field)).toBe('mine')
    expectRefused(await issueOrg(api_key, { [field]: 'other' }), /bound/)
    expectRefused(await issueOrg(api_key, { [field]: null }), /bound/)
    expectRefused(await issueApp(api_key), /bound/)
    expectRefused(await issuePublishable(api_key), /bound/)
    expectRefused(await rotate(api_key, (await makeKey(org)).id), /bound/)
  },
)

test('a retiring key issues and rotates nothing', async () => {
  const { id, api_key } = await issuer()
  expect((await rotate(org.adminKey, id, { overlap_seconds: 600 })).status).toBe(201)
  for (const issue of every) expectRefused(await issue(api_key), /retiring/)
  expectRefused(await rotate(api_key, (await makeKey(org)).id), /retiring/)
})

test('a test key that names no environment may name origins of localhost, and a live key may not', async () => {
  const allowed_origins = ['http://localhost:*', 'https://app.example.com']
  const { status, body } = await issuePublishable((await issuer({ environment: 'test' })).api_key, { allowed_origins })
  expect({ status, environment: body.environment }).toEqual({ status: 201, environment: 'test' })
  const refused = await issuePublishable((await issuer()).api_key, { allowed_origins })
  expectProblem(refused, 'invalid_input')
  expect(faultPaths(refused)).toEqual(['allowed_origins.0'])
})

test('a retiring key is refused before it learns whether a key exists', async () => {
  const { id, api_key } = await issuer()
  await rotate(org.adminKey, id, { overlap_seconds: 600 })
  expectRefused(await rotate(api_key, newId('key')), /retiring/)
})

describe('keys that issue and rotate keys, in any order', () => {
  const hours = [1, 3, 5].map(inHours)
  const wish = fc.record(
    {
      scopes: fc.constantFrom([...scopes, ...more], ['keys:write', 'models:read'], ['keys:read'], ['admin:read']),
      environment: fc.constantFrom('live', 'test'),
      expires_at: fc.constantFrom(null, ...hours),
      federation_id: fc.constantFrom(null, 'fed-a', 'fed-b'),
      model_id: fc.constantFrom(null, 'model-a', 'model-b'),
    },
    { requiredKeys: [] },
  )
  const pick = fc.nat({ max: 99 })
  const step = fc.oneof(
    fc.record({ kind: fc.constant('org' as const), by: pick, wish }),
    fc.record({ kind: fc.constantFrom('app' as const, 'publishable' as const), by: pick, wish }),
    fc.record({ kind: fc.constant('rotate' as const), by: pick, target: pick, overlap: fc.constantFrom(0, 60) }),
  )
  type Step = typeof step extends fc.Arbitrary<infer T> ? T : never
  type Key = Awaited<ReturnType<typeof makeKey>>

  async function take(step: Step, holder: Key, keys: readonly Key[]) {
    const token: string = holder.api_key
    if (step.kind === 'rotate')
      return rotate(token, keys[step.target % keys.length]?.id ?? '', { overlap_seconds: step.overlap })
    const { scopes: wanted, federation_id, model_id, ...common } = step.wish
    if (step.kind === 'app') return issueApp(token, common)
    if (step.kind === 'publishable') return issuePublishable(token, { ...common, scopes: ['models:read'] })
    const held = wanted ?? [...scopes, ...more]
    const bindings = {
      ...('federation_id' in step.wish ? { federation_id } : {}),
      ...('model_id' in step.wish ? { model_id } : {}),
    }
    return issueOrg(token, { ...common, ...bindings, scopes: held })
  }

  /** Asserts it from the contract's words, not with the code that decides. */
  function expectNoWider(key: Key, holder: Key): void {
    expect(missingScopes(key.scopes as Scope[], holder.scopes as Scope[])).toEqual([])
    if (holder.environment === 'test') expect(key.environment).toBe('test')
    if (holder.expires_at !== null) {
      expect(key.expires_at).not.toBeNull()
      expect(Date.parse(key.expires_at)).toBeLessThanOrEqual(Date.parse(holder.expires_at))
    }
    for (const field of ['federation_id', 'model_id'] as const) {
      if (holder[field] === null) continue
      expect({ type: key.key_type, bound: key[field] }).toEqual({ type: 'org', bound: holder[field] })
    }
  }

  test('no key holds more than the key that issued it, nor more than any before that', async () => {
    let issued = 0
    await fc.assert(
      fc.asyncProperty(wish, fc.array(step, { minLength: 6, maxLength: 12 }), async (first, steps) => {
        // The last key is wide, held by others and never a holder here: chains must not reach it by rotation.
        const wide = await makeKey(org, { scopes: [...scopes, ...more] })
        const root = await issuer({ ...first, scopes: [...scopes, ...more] })
        const keys: Key[] = [root, wide]
        const ancestors = new Map<string, Key[]>([[root.id, [root]]])
        for (const step of steps) {
          const holders = keys.filter(({ id }) => id !== wide.id && ancestors.has(id))
          const holder = holders[step.by % holders.length] ?? root
          const { status, body } = await take(step, holder, keys)
          expect([201, 401, 403, 409]).toContain(status)
          if (status !== 201) continue
          issued++
          const above = ancestors.get(holder.id) ?? []
          for (const one of above) expectNoWider(body, one)
          keys.push(body)
          ancestors.set(body.id, [...above, body])
        }
      }),
      { numRuns: 50 },
    )
    expect(issued).toBeGreaterThan(30)
  })
})
