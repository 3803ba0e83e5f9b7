/** What a key issues or rotates holds no more than the key. */
import * as fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { invoke, type Response } from '../../support/invoke.ts'
import { makeBusyOrg, makeKey, type TestOrg } from '../../support/orgs.ts'
import { expectProblem } from '../../support/problems.ts'

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
    expectRefused(await issue(api_key, { expires_at: inHours(2) }), /ends later/)
    expectRefused(await issue(api_key, { expires_at: null }), /ends later/)
  }
  const endless = await makeKey(org)
  expectRefused(await rotate(api_key, endless.id), /ends later/)
})

test('a test key issues test keys, and by default no other', async () => {
  const { api_key } = await issuer({ environment: 'test' })
  for (const issue of every) {
    expect((await issue(api_key)).body.environment).toBe('test')
    expectRefused(await issue(api_key, { environment: 'live' }), /test keys only/)
  }
  expectRefused(await rotate(api_key, (await makeKey(org)).id), /test keys only/)
  expect((await issueOrg((await issuer()).api_key, { environment: 'test' })).status).toBe(201)
})

test.each(['federation_id', 'model_id'])(
  'a key that is bound to a %s issues org keys of the same alone',
  async (field) => {
    const { api_key } = await issuer({ [field]: 'mine' })
    expect((await issueOrg(api_key)).body[field]).toBe('mine')
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

test('no chain of issues leads to a key that holds more than the first', async () => {
  const wish = fc.record(
    {
      environment: fc.constantFrom('live', 'test'),
      expires_at: fc.constantFrom(null, inHours(1), inHours(3), inHours(5)),
      federation_id: fc.constantFrom(null, 'fed-a', 'fed-b'),
      model_id: fc.constantFrom(null, 'model-a'),
    },
    { requiredKeys: [] },
  )
  await fc.assert(
    fc.asyncProperty(wish, fc.array(wish, { minLength: 1, maxLength: 4 }), async (first, wishes) => {
      let holder = await issuer(first)
      for (const next of wishes) {
        const { status, body } = await issueOrg(holder.api_key, { scopes: ['keys:write', 'keys:read'], ...next })
        if (status !== 201) continue
        if (holder.environment === 'test') expect(body.environment).toBe('test')
        if (holder.expires_at) expect(body.expires_at !== null && body.expires_at <= holder.expires_at).toBe(true)
        if (holder.federation_id) expect(body.federation_id).toBe(holder.federation_id)
        if (holder.model_id) expect(body.model_id).toBe(holder.model_id)
        holder = body
      }
    }),
    { numRuns: 40 },
  )
})
