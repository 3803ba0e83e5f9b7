import { createHash, randomUUID } from 'node:crypto'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { OperationName } from '../../../functions/operations.ts'
import { ProblemError } from '../../../shared/problem.ts'
import { interceptTable } from '../../support/faults.ts'
import { type BodyOf, invoke, type Request, type Response } from '../../support/invoke.ts'
import { makeBusyOrg, makeKey, type TestOrg, tokenFor } from '../../support/orgs.ts'
import { bareProblem, expectProblem, faultPaths } from '../../support/problems.ts'
import { allRows, putRow, rowsOf } from '../../support/rows.ts'

let org: TestOrg
beforeAll(async () => {
  org = await makeBusyOrg()
})
afterEach(() => {
  vi.useRealTimers()
})

const keyBody = { name: 'server', scopes: ['keys:read'] }
const create = (key: string, request: Request = {}) => post('api-keys/create', key, request)
const post = <Name extends OperationName>(name: Name, key: string, request: Request = {}) =>
  invoke(name, {
    token: org.adminKey,
    ...(request.rawBody === undefined ? { body: keyBody } : {}),
    ...request,
    headers: { 'idempotency-key': key, ...request.headers },
  })
const createdEvents = async (): Promise<number> => (await rowsOf(org.orgId, 'EVENT#')).length
const keyCount = async (): Promise<number> => (await rowsOf(org.orgId, 'KEY#')).length

const idempotencyRow = async (key: string) => {
  const digest = createHash('sha256').update(key).digest('hex')
  const row = (await allRows()).find(({ pk, sk }) => pk.includes('#IDEM#') && sk.endsWith(digest))
  if (!row) throw new Error('the key has no record')
  return row
}

/** Asserts that `run` makes this many keys, each with its event. */
async function expectKeysMade<T>(count: number, run: () => Promise<T>): Promise<T> {
  const [keys, events] = [await keyCount(), await createdEvents()]
  const result = await run()
  expect([(await keyCount()) - keys, (await createdEvents()) - events]).toEqual([count, count])
  return result
}

function expectReplay(replay: Response, first: Response): void {
  const { api_key, ...record } = { api_key: undefined, ...first.body }
  expect(replay.status).toBe(first.status)
  expect(replay.headers['idempotency-replayed']).toBe('true')
  expect(first.headers['idempotency-replayed']).toBeUndefined()
  expect(replay.body).toEqual(record)
  expect(replay.headers.etag).toBe(first.headers.etag)
  expect(replay.headers.location).toBe(first.headers.location)
  expect(replay.headers['x-request-id']).not.toBe(first.headers['x-request-id'])
}

describe('a repeated request with the same Idempotency-Key', () => {
  test('is answered with the first answer, without the secret, and changes nothing', async () => {
    const key = randomUUID()
    await expectKeysMade(1, async () => {
      const first = await create(key)
      expect(first.status).toBe(201)
      expect(first.body.api_key).toMatch(/^oct_org_live_/)
      for (let count = 0; count < 3; count++) {
        const replay = await create(key)
        expectReplay(replay, first)
        expect(replay.text).not.toContain(first.body.api_key)
      }
    })
  })

  test.each([
    '{"scopes":["keys:read"],"name":"server"}',
    ' { "name" : "server",\n\t"scopes": [ "keys:read" ] }\r\n',
    '{"name":"server","scopes":["keys:read"],"environment":"live"}',
    '{"name":"\\u0073erver","scopes":["keys:read","keys:read"]}',
    '{"name":"other","scopes":["keys:read"],"name":"server"}',
  ])('is the same request when it says the same in other bytes: %s', async (rawBody) => {
    const key = randomUUID()
    await expectKeysMade(1, async () => {
      const first = await create(key)
      expectReplay(await create(key, { rawBody }), first)
    })
  })

  test.each([
    { ...keyBody, name: 'Server' },
    { ...keyBody, environment: 'test' },
    { ...keyBody, scopes: ['keys:read', 'models:read'] },
    { ...keyBody, expires_at: '2099-01-01T00:00:00Z' },
  ])('with another body is 422 and changes nothing: %j', async (body) => {
    const key = randomUUID()
    await expectKeysMade(1, async () => {
      const first = await create(key)
      expectProblem(await create(key, { body }), 'idempotency_mismatch')
      expectReplay(await create(key), first)
    })
  })

  test('with another id in its path is 422', async () => {
    const [one, other] = [await makeKey(org), await makeKey(org)]
    const key = randomUUID()
    const revoke = (id: string) => post('api-keys/revoke', key, { params: { key_id: id }, body: {} })
    expect((await revoke(one.id)).status).toBe(200)
    expectProblem(await revoke(other.id), 'idempotency_mismatch')
    const { body } = await invoke('api-keys/get', { token: org.adminKey, params: { key_id: other.id } })
    expect(body.state).toBe('active')
  })

  test('is kept for 24 hours and is a new request after them', async () => {
    const start = Date.now()
    vi.useFakeTimers({ toFake: ['Date'], now: start })
    const key = randomUUID()
    const first = await create(key)
    vi.setSystemTime(start + 24 * 3_600_000 - 2000)
    expectReplay(await create(key), first)
    vi.setSystemTime(start + 24 * 3_600_000 + 2000)
    const later = await create(key, { body: { ...keyBody, name: 'another' } })
    expect(later.status).toBe(201)
    expect(later.body.id).not.toBe(first.body.id)
    expectReplay(await create(key, { body: { ...keyBody, name: 'another' } }), later)
  })

  test('replays a refusal of the handler, although by now it would be granted', async () => {
    const { id } = await makeKey(org)
    await invoke('api-keys/revoke', { token: org.adminKey, params: { key_id: id } })
    const key = randomUUID()
    const rotate = () => post('api-keys/rotate', key, { params: { key_id: id }, body: {} })
    const first = await rotate()
    expectProblem(first, 'conflict')
    const replay = await rotate()
    expectProblem(replay, 'conflict')
    expect(replay.headers['idempotency-replayed']).toBe('true')
    expect(bareProblem(replay)).toEqual(bareProblem(first))
    expect(replay.body.request_id).not.toBe(first.body.request_id)
  })

  test('replays what the handler did not find', async () => {
    const key = randomUUID()
    const revoke = () =>
      post('api-keys/revoke', key, { params: { key_id: 'key_01jd3v7k3q9x5m2n8r4t6w0y1z' }, body: {} })
    const first = await revoke()
    expectProblem(first, 'not_found')
    const replay = await revoke()
    expect(replay.headers['idempotency-replayed']).toBe('true')
    expect(bareProblem(replay)).toEqual(bareProblem(first))
  })

  test('replays a grant that the handler refused', async () => {
    const { api_key } = await makeKey(org, { scopes: ['keys:write'], rate_limit_per_minute: 1000 })
    const key = randomUUID()
    const first = await create(key, { token: api_key })
    expectProblem(first, 'forbidden')
    const replay = await create(key, { token: api_key })
    expectProblem(replay, 'forbidden')
    expect(replay.headers['idempotency-replayed']).toBe('true')
    expect(bareProblem(replay)).toEqual(bareProblem(first))
  })

  test('replays a create whose expires_at has passed meanwhile', async () => {
    const start = Date.now()
    vi.useFakeTimers({ toFake: ['Date'], now: start })
    const key = randomUUID()
    const body = { ...keyBody, expires_at: new Date(start + 60_000).toISOString() }
    const first = await create(key, { body })
    expect(first.status).toBe(201)
    vi.setSystemTime(start + 120_000)
    expectReplay(await create(key, { body }), first)
    expectProblem(await create(key, { body: { ...body, name: 'other' } }), 'idempotency_mismatch')
    const fresh = await create(randomUUID(), { body })
    expectProblem(fresh, 'invalid_input')
    expect(fresh.body.detail).toBe('expires_at: must be in the future')
    expectProblem(await invoke('api-keys/create', { token: org.adminKey, body }), 'invalid_input')
  })

  test('with an expires_at in the past is refused again and again, and its key is free for another body', async () => {
    const key = randomUUID()
    const body = { ...keyBody, expires_at: '2020-01-01T00:00:00Z' }
    await expectKeysMade(1, async () => {
      for (let count = 0; count < 2; count++) {
        const refused = await create(key, { body })
        expectProblem(refused, 'invalid_input')
        expect(refused.headers['idempotency-replayed']).toBeUndefined()
      }
      expect((await create(key)).status).toBe(201)
    })
  })

  test('is the same request after a deploy that gave it a field with a default', async () => {
    const key = randomUUID()
    const first = await create(key)
    // What the fingerprint of the validated input would be without that field: another one.
    await putRow({ ...(await idempotencyRow(key)), fingerprint: 'f'.repeat(64) })
    expectReplay(await create(key), first)
    expectProblem(await create(key, { body: { ...keyBody, name: 'other' } }), 'idempotency_mismatch')
  })

  test('runs again when its answer said that it may succeed later', async () => {
    const { id } = await makeKey(org)
    const key = randomUUID()
    type Answer = Response<BodyOf<'api-keys/revoke'>>
    const answers: Answer[] = []
    await interceptTable(
      async ({ command }, send) => {
        if (command === 'TransactWriteItemsCommand' && answers.length === 0) {
          throw new ProblemError('conflict', 'Another change is under way.', {
            retryable: true,
            headers: { 'retry-after': '1' },
          })
        }
        return send()
      },
      async () => {
        const revoke = () => post('api-keys/revoke', key, { params: { key_id: id }, body: {} })
        answers.push(await revoke())
        answers.push(await revoke())
      },
    )
    const [first, second] = answers as [Answer, Answer]
    expectProblem(first, 'conflict')
    expect(first.body.retryable).toBe(true)
    expect([second.status, second.body.state]).toEqual([200, 'revoked'])
    expect(second.headers['idempotency-replayed']).toBeUndefined()
  })

  test('replays a refusal with its headers and its retryable flag as they were', async () => {
    const { id } = await makeKey(org)
    const key = randomUUID()
    const revoke = () => post('api-keys/revoke', key, { params: { key_id: id }, body: {} })
    const first = await interceptTable(({ command }, send) => {
      if (command !== 'TransactWriteItemsCommand') return send()
      throw new ProblemError('rate_limited', 'Not before next month.', {
        retryable: false,
        headers: { 'retry-after': '86400' },
      })
    }, revoke)
    const replay = await revoke()
    expect(replay.headers['idempotency-replayed']).toBe('true')
    expect(bareProblem(replay)).toEqual(bareProblem(first))
    expect([first.body.retryable, replay.body.retryable]).toEqual([false, false])
    expect([first.headers['retry-after'], replay.headers['retry-after']]).toEqual(['86400', '86400'])
  })

  test('that was refused is in the audit trail once, whatever its replays', async () => {
    const start = Date.now()
    vi.useFakeTimers({ toFake: ['Date'], now: start })
    const { api_key } = await makeKey(org, { scopes: ['keys:write'], rate_limit_per_minute: 1000 })
    const key = randomUUID()
    const before = await createdEvents()
    expectProblem(await create(key, { token: api_key }), 'forbidden')
    expect((await createdEvents()) - before).toBe(1)
    for (const minutes of [0, 2, 4]) {
      vi.setSystemTime(start + minutes * 60_000)
      const replay = await create(key, { token: api_key })
      expect(replay.headers['idempotency-replayed']).toBe('true')
    }
    expect((await createdEvents()) - before).toBe(1)
  })

  test('was not kept when it was refused before the handler', async () => {
    const key = randomUUID()
    await expectKeysMade(1, async () => {
      const refusals: [Request, number][] = [
        [{ body: { name: '' } }, 400],
        [{ rawBody: '{' }, 400],
        [{ rawBody: '{}', headers: { 'content-type': 'text/plain' } }, 415],
        [{ rawBody: 'x'.repeat(256 * 1024 + 1) }, 413],
        [{ query: { zz: '1' } }, 400],
        [{ token: 'oct_org_live_x' }, 401],
      ]
      for (const [request, status] of refusals) expect((await create(key, request)).status).toBe(status)
      const first = await create(key)
      expect(first.status).toBe(201)
      expect(first.headers['idempotency-replayed']).toBeUndefined()
      expectReplay(await create(key), first)
    })
  })

  test('was not kept when it was refused for want of a scope', async () => {
    const { api_key } = await makeKey(org, { scopes: ['keys:read', 'models:read'] })
    const key = randomUUID()
    expectProblem(await create(key, { token: api_key }), 'forbidden')
    const again = await create(key, { token: api_key })
    expectProblem(again, 'forbidden')
    expect(again.headers['idempotency-replayed']).toBeUndefined()
  })
})

describe('what an Idempotency-Key belongs to', () => {
  test('one principal: another one may use the same key', async () => {
    const key = randomUUID()
    const other = await makeKey(org, { scopes: ['keys:write', 'keys:read'] })
    await expectKeysMade(4, async () => {
      const answers = [
        await create(key),
        await create(key, { token: other.api_key }),
        await create(key, { token: await tokenFor(org.orgId, 'owner') }),
        await create(key, { token: await tokenFor(org.orgId, 'admin') }),
      ]
      expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201])
      expect(new Set(answers.map(({ body }) => body.id)).size).toBe(4)
    })
  })

  test('one person, whichever token it signs in with', async () => {
    const key = randomUUID()
    const first = await create(key, { token: await tokenFor(org.orgId, 'owner', 600) })
    expectReplay(await create(key, { token: await tokenFor(org.orgId, 'owner', 900) }), first)
  })

  test('one operation: another one may use the same key', async () => {
    const key = randomUUID()
    const app = { body: { name: 'server', app_id: 'app-1' } }
    const publishable = { body: { name: 'server' } }
    await expectKeysMade(3, async () => {
      expect((await create(key)).status).toBe(201)
      expect((await post('api-keys/create-app-key', key, app)).status).toBe(201)
      expect((await post('api-keys/create-publishable-key', key, publishable)).status).toBe(201)
    })
  })

  test('one org', async () => {
    const other = await makeBusyOrg()
    const key = randomUUID()
    const [mine, theirs] = [await create(key), await create(key, { token: other.adminKey })]
    expect([mine.status, theirs.status]).toEqual([201, 201])
    expect(mine.body.id).not.toBe(theirs.body.id)
  })

  test('a POST: elsewhere the header is passed over', async () => {
    for (const key of ['', randomUUID()]) {
      const response = await invoke('api-keys/list', { token: org.adminKey, headers: { 'idempotency-key': key } })
      expect(response.status).toBe(200)
    }
  })

  test('a value that is not 1 to 255 printable characters is 400', async () => {
    await expectKeysMade(0, async () => {
      for (const key of ['', 'x'.repeat(256), 'a\nb', 'a\tb', 'é', '\u007f', 'a\u0000', '键']) {
        const response = await create(key)
        expectProblem(response, 'invalid_input')
        expect(faultPaths(response)).toEqual(['Idempotency-Key'])
      }
    })
  })

  test('a value of 1 to 255 printable characters is taken', async () => {
    for (const key of ['x', 'x'.repeat(255), 'a b/c#d{e}~', '~', ' ']) {
      const first = await create(key)
      expect(first.status).toBe(201)
      expectReplay(await create(key), first)
    }
  })
})

describe('requests at once with the same Idempotency-Key', () => {
  test('exactly one of 20 runs; the others are replays or are told to try again', async () => {
    const key = randomUUID()
    const answers = await expectKeysMade(1, () => Promise.all(Array.from({ length: 20 }, () => create(key))))
    const created = answers.filter(({ body }) => body.api_key !== undefined)
    expect(created).toHaveLength(1)
    for (const answer of answers) {
      if (answer === created[0]) continue
      if (answer.status === 201) {
        expectReplay(answer, created[0] as Response)
        continue
      }
      expectProblem(answer, 'idempotency_in_progress')
      expect(answer.body.retryable).toBe(true)
      expect(answer.headers['retry-after']).toMatch(/^[1-9]\d*$/)
    }
    expectReplay(await create(key), created[0] as Response)
  })

  test('one that comes while the first runs is told so, and one with another body that it does not match', async () => {
    const key = randomUUID()
    let during: Response[] = []
    const first = await interceptTable(
      async ({ command }, send) => {
        if (command === 'TransactWriteItemsCommand' && during.length === 0) {
          during = [await create(key), await create(key, { body: { ...keyBody, name: 'else' } })]
        }
        return send()
      },
      () => create(key),
    )
    expect(first.status).toBe(201)
    expectProblem(during[0] as Response, 'idempotency_in_progress')
    expect((during[0] as Response).headers['retry-after']).toMatch(/^[1-9]\d*$/)
    expectProblem(during[1] as Response, 'idempotency_mismatch')
  })
})

describe('a request with an Idempotency-Key that did not end well', () => {
  test('is not refused by its own record when the answer of its first write was lost', async () => {
    const key = randomUUID()
    let puts = 0
    await expectKeysMade(1, async () => {
      const first = await interceptTable(
        async ({ command, rows }, send) => {
          if (command !== 'PutItemCommand' || !rows[0]?.includes('#IDEM#')) return send()
          puts++
          await send()
          // As the SDK does when it does not see the answer.
          return send()
        },
        () => create(key),
      )
      expect([first.status, puts]).toEqual([201, 1])
      expectReplay(await create(key), first)
    })
  })

  test('an answer that was committed is replayed, though the function died right after the commit', async () => {
    const key = randomUUID()
    await expectKeysMade(1, async () => {
      const died = await interceptTable(
        async ({ command }, send) => {
          const result = await send()
          if (command === 'TransactWriteItemsCommand') throw new Error('the function died')
          return result
        },
        () => create(key),
      )
      expectProblem(died, 'server_error')
      const replay = await create(key)
      expect(replay.status).toBe(201)
      expect(replay.headers['idempotency-replayed']).toBe('true')
      expect(replay.body.api_key).toBeUndefined()
      expect(replay.headers.location).toBe(`/api/v2/settings/api-keys/${replay.body.id}`)
      const got = await invoke('api-keys/get', { token: org.adminKey, params: { key_id: replay.body.id } })
      expect(got.body).toEqual(replay.body)
    })
  })

  test('an answer that is a 5xx is not kept: the next request runs at once', async () => {
    const key = randomUUID()
    await expectKeysMade(1, async () => {
      const failed = await interceptTable(
        ({ command }, send) => {
          if (command === 'TransactWriteItemsCommand') throw new Error('nothing was written')
          return send()
        },
        () => create(key),
      )
      expectProblem(failed, 'server_error')
      const second = await create(key)
      expect(second.status).toBe(201)
      expect(second.headers['idempotency-replayed']).toBeUndefined()
      expect(second.body.api_key).toMatch(/^oct_/)
    })
  })

  test('one whose function vanished holds its key for as long as it could have run, and no longer', async () => {
    const start = Date.now()
    vi.useFakeTimers({ toFake: ['Date'], now: start })
    const key = randomUUID()
    const { promise: reached, resolve: reach } = Promise.withResolvers<void>()
    const never = new Promise<never>(() => {})
    await interceptTable(
      ({ command }, send) => {
        if (command !== 'TransactWriteItemsCommand') return send()
        reach()
        return never
      },
      async () => {
        void create(key)
        await reached
      },
    )
    vi.setSystemTime(start + 24_000)
    expectProblem(await create(key), 'idempotency_in_progress')
    vi.setSystemTime(start + 30_000)
    const second = await create(key)
    expect(second.status).toBe(201)
    expectReplay(await create(key), second)
  })

  test('the answer goes out though it cannot be kept', async () => {
    const { id } = await makeKey(org)
    await invoke('api-keys/revoke', { token: org.adminKey, params: { key_id: id } })
    const answered = await interceptTable(
      ({ command, rows }, send) => {
        if (command === 'UpdateItemCommand' && rows[0]?.includes('#IDEM#')) throw new Error('the table is away')
        return send()
      },
      () => post('api-keys/rotate', randomUUID(), { params: { key_id: id }, body: {} }),
    )
    expectProblem(answered, 'conflict')
  })
})
