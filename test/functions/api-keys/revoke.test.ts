import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { interceptTable } from '../../support/faults.ts'
import { invoke } from '../../support/invoke.ts'
import { makeBusyOrg, makeKey, type TestOrg } from '../../support/orgs.ts'
import { expectProblem, faultPaths } from '../../support/problems.ts'

let org: TestOrg
beforeAll(async () => {
  org = await makeBusyOrg()
})
afterEach(() => {
  vi.useRealTimers()
})

const revoke = (id: string, body?: object, token = org.adminKey) =>
  invoke('api-keys/revoke', { token, params: { key_id: id }, ...(body ? { body } : {}) })
const get = async (id: string) => (await invoke('api-keys/get', { token: org.adminKey, params: { key_id: id } })).body
const use = (token: string) => invoke('api-keys/scopes', { token })
const eventsOf = async (id: string) =>
  (await invoke('audit-events/list', { token: org.adminKey, query: { resource_id: id } })).body.data
const revocationsOf = async (id: string) =>
  (await eventsOf(id)).filter(({ action }: { action: string }) => action === 'api_key.revoked')

describe('revoking a key', () => {
  test('the very next request with the key is refused', async () => {
    const { id, api_key } = await makeKey(org)
    expect((await use(api_key)).status).toBe(200)
    const { status, body, headers } = await revoke(id, { reason: 'leaked' })
    expect(status).toBe(200)
    const refused = await use(api_key)
    expectProblem(refused, 'invalid_api_key')
    expect(refused.headers['www-authenticate']).toContain('invalid_token')
    expect(body).toMatchObject({ id, state: 'revoked', revoked_reason: 'leaked' })
    expect(body.revoked_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    expect(headers.etag).toMatch(/^"[^"]+"$/)
    expect(body).not.toHaveProperty('api_key')
    expect({ ...body, last_used_at: null }).toEqual({ ...(await get(id)), last_used_at: null })
  })

  test('a key may revoke itself, and is refused from then on', async () => {
    const { id, api_key } = await makeKey(org, { scopes: ['keys:write'] })
    expect((await revoke(id, undefined, api_key)).status).toBe(200)
    expectProblem(await revoke(id, undefined, api_key), 'invalid_api_key')
  })

  test('it leaves one event, with the reason', async () => {
    const { id } = await makeKey(org, { name: 'told' })
    const { body } = await revoke(id, { reason: 'leaked' })
    const [event] = await eventsOf(id)
    expect(event).toMatchObject({
      action: 'api_key.revoked',
      result: 'success',
      resource: { type: 'api_key', id, name: 'told' },
      changes: [
        { field: 'revoked_at', before: null, after: body.revoked_at },
        { field: 'revoked_reason', before: null, after: 'leaked' },
      ],
    })
  })

  test('a key in the reason is cut to its prefix', async () => {
    const { id, api_key } = await makeKey(org)
    const { body } = await revoke(id, { reason: `found ${api_key} in a log` })
    expect(body.revoked_reason).toMatch(/^found oct_org_(live|test)_… in a log$/)
  })

  test('without a body, with an empty one and with null there is no reason', async () => {
    for (const body of [undefined, {}, { reason: null }]) {
      const { id } = await makeKey(org)
      expect((await revoke(id, body)).body).toMatchObject({ state: 'revoked', revoked_reason: null })
    }
  })

  test('a reason that is no text of 1 to 500 characters is 400 and named', async () => {
    const { id } = await makeKey(org)
    for (const reason of ['', 'x'.repeat(501), 7, ['leaked']]) {
      const response = await revoke(id, { reason })
      expectProblem(response, 'invalid_input')
      expect(faultPaths(response)).toEqual(['reason'])
    }
    expect((await get(id)).state).toBe('active')
    expect((await revoke(id, { reason: 'x'.repeat(500) })).body.state).toBe('revoked')
  })

  test('a second time answers the same record and appends no event', async () => {
    const { id } = await makeKey(org)
    const first = await revoke(id, { reason: 'first' })
    const second = await revoke(id, { reason: 'second' })
    expect(second.status).toBe(200)
    expect(second.body).toEqual(first.body)
    expect(second.headers.etag).toBe(first.headers.etag)
    expect(await revocationsOf(id)).toHaveLength(1)
  })

  test('an expired key can be revoked', async () => {
    const start = Date.now()
    const { id } = await makeKey(org, { expires_at: new Date(start + 1000).toISOString() })
    vi.useFakeTimers({ toFake: ['Date'], now: start + 2000 })
    expect((await get(id)).state).toBe('expired')
    expect((await revoke(id)).body.state).toBe('revoked')
  })

  test('revoking a retiring key ends its overlap, and its replacement goes on working', async () => {
    const old = await makeKey(org)
    const rotated = await invoke('api-keys/rotate', {
      token: org.adminKey,
      params: { key_id: old.id },
      body: { overlap_seconds: 3600 },
    })
    expect((await use(old.api_key)).status).toBe(200)
    const { body } = await revoke(old.id)
    expect(body).toMatchObject({ state: 'revoked', rotated_to: rotated.body.id })
    expect(Date.parse(body.revoked_at)).toBeLessThanOrEqual(Date.now())
    expectProblem(await use(old.api_key), 'invalid_api_key')
    expect((await use(rotated.body.api_key)).status).toBe(200)
  })

  test('30 revocations at once answer the same record and append exactly one event', async () => {
    const { id, api_key } = await makeKey(org)
    const answers = await Promise.all(Array.from({ length: 30 }, () => revoke(id)))
    expect(answers.map(({ status }) => status)).toEqual(Array(30).fill(200))
    for (const { body, headers } of answers) {
      expect(body).toEqual(answers[0]?.body)
      expect(headers.etag).toBe(answers[0]?.headers.etag)
    }
    expect(await revocationsOf(id)).toHaveLength(1)
    expectProblem(await use(api_key), 'invalid_api_key')
  })

  test('a revocation that another one overtook changes nothing, though it began before it', async () => {
    const { id } = await makeKey(org)
    let overtaken = false
    const overtaking: { revoked_at?: string } = {}
    const slow = await interceptTable(
      async ({ command }, send) => {
        if (command === 'TransactWriteItemsCommand' && !overtaken) {
          overtaken = true
          await new Promise((resolve) => setTimeout(resolve, 20))
          Object.assign(overtaking, (await revoke(id, { reason: 'quick' })).body)
        }
        return send()
      },
      () => revoke(id, { reason: 'slow' }),
    )
    expect(overtaking).toMatchObject({ state: 'revoked', revoked_reason: 'quick' })
    expect(await revocationsOf(id)).toHaveLength(1)
    expect(slow.status).toBe(200)
    expect(slow.body).toEqual(overtaking)
  })

  test('a clock that lags behind lets neither a revoked nor a rotated key through', async () => {
    const [revoked, rotated] = [await makeKey(org), await makeKey(org)]
    const start = Date.now()
    vi.useFakeTimers({ toFake: ['Date'], now: start })
    await revoke(revoked.id)
    await invoke('api-keys/rotate', { token: org.adminKey, params: { key_id: rotated.id } })
    vi.setSystemTime(start - 250)
    expectProblem(await use(revoked.api_key), 'invalid_api_key')
    expectProblem(await use(rotated.api_key), 'invalid_api_key')
    expect((await get(revoked.id)).state).toBe('revoked')
    const { body } = await invoke('api-keys/list', { token: org.adminKey, query: { state: 'revoked' } })
    const listed = body.data.map(({ id }: { id: string }) => id)
    expect(listed).toContain(revoked.id)
    expect(listed).toContain(rotated.id)
  })

  test('after a concurrent rotation and revocation the key is dead, and the trail shows why', async () => {
    const { id, api_key } = await makeKey(org)
    const [revoked, rotated] = await Promise.all([
      revoke(id),
      invoke('api-keys/rotate', { token: org.adminKey, params: { key_id: id }, body: { overlap_seconds: 3600 } }),
    ])
    expect(revoked.status).toBe(200)
    expect([201, 409]).toContain(rotated.status)
    expectProblem(await use(api_key), 'invalid_api_key')
    const actions = (await eventsOf(id)).map(({ action }: { action: string }) => action)
    expect(actions.sort()).toEqual(
      ['api_key.created', 'api_key.revoked', ...(rotated.status === 201 ? ['api_key.rotated'] : [])].sort(),
    )
  })
})
