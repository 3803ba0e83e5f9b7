/** A key that no longer works makes no work: its holder may go on calling for years. */
import { afterEach, beforeAll, expect, test, vi } from 'vitest'
import { callsDuring } from '../../support/faults.ts'
import { invoke } from '../../support/invoke.ts'
import { makeBusyOrg, makeKey, type TestOrg } from '../../support/orgs.ts'
import { type Code, expectProblem } from '../../support/problems.ts'

let org: TestOrg
beforeAll(async () => {
  org = await makeBusyOrg()
})
afterEach(() => {
  vi.useRealTimers()
})

const start = Date.now()
const use = (token: string) => invoke('api-keys/scopes', { token })
const on = (operation: 'api-keys/revoke' | 'api-keys/rotate', key_id: string, body: object = {}) =>
  invoke(operation, { token: org.adminKey, params: { key_id }, body })

/** Each makes a key that works and then ends it. */
const ends: Record<string, { code: Code; make(): Promise<string> }> = {
  'was revoked': {
    code: 'invalid_api_key',
    make: async () => {
      const { id, api_key } = await makeKey(org)
      await use(api_key)
      await on('api-keys/revoke', id)
      return api_key
    },
  },
  'was replaced, and its overlap has ended': {
    code: 'invalid_api_key',
    make: async () => {
      const { id, api_key } = await makeKey(org)
      await on('api-keys/rotate', id, { overlap_seconds: 60 })
      await use(api_key)
      vi.useFakeTimers({ toFake: ['Date'], now: start + 120_000 })
      return api_key
    },
  },
  'has expired': {
    code: 'token_expired',
    make: async () => {
      const { api_key } = await makeKey(org, { expires_at: new Date(start + 60_000).toISOString() })
      await use(api_key)
      vi.useFakeTimers({ toFake: ['Date'], now: start + 120_000 })
      return api_key
    },
  },
}

test.each(Object.entries(ends))(
  'requests with a key that %s write nothing, after the first that a process refuses',
  async (_title, { code, make }) => {
    const token = await make()
    expectProblem(await use(token), code)
    const calls = await callsDuring(async () => {
      for (let count = 0; count < 3; count++) expectProblem(await use(token), code)
    })
    expect(calls.filter(({ command }) => command !== 'GetItemCommand')).toEqual([])
  },
)

test('an expired key that was refused as such is refused as revoked once it is revoked', async () => {
  const { id, api_key } = await makeKey(org, { expires_at: new Date(Date.now() + 60_000).toISOString() })
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 120_000 })
  expectProblem(await use(api_key), 'token_expired')
  await on('api-keys/revoke', id)
  expectProblem(await use(api_key), 'invalid_api_key')
})

test('a process whose clock was ahead takes a key again that has not expired', async () => {
  const expires_at = new Date(Date.now() + 60_000).toISOString()
  const { api_key } = await makeKey(org, { expires_at })
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse(expires_at) + 1000 })
  expectProblem(await use(api_key), 'token_expired')
  vi.setSystemTime(Date.parse(expires_at) - 1000)
  const { status, headers } = await use(api_key)
  expect(status).toBe(200)
  expect(headers.ratelimit).toMatch(/^"default";r=\d+;/)
})
