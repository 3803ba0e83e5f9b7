/** What a request meets when what it needs fails, dawdles or is away. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { TransactionCanceledException, TransactionConflictException } from '@aws-sdk/client-dynamodb'
import type { NodeHttpHandler } from '@smithy/node-http-handler'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { type OperationName, operations } from '../../functions/operations.ts'
import type { Operation } from '../../shared/http/operation.ts'
import { realTiming } from '../../shared/runtime/timing.ts'
import { tryLease } from '../../shared/storage/lease.ts'
import { table } from '../../shared/table/client.ts'
import { divertTable, faultServer, interceptTable, type TableCall } from '../support/faults.ts'
import { expectWholeChain } from '../support/governance.ts'
import { eventFor, invoke, invokeEvent, type Request, type Response } from '../support/invoke.ts'
import { logLines } from '../support/logs.ts'
import { makeBusyOrg, makeKey, type TestOrg, tokenFor } from '../support/orgs.ts'
import { expectProblem } from '../support/problems.ts'
import { rowsOf } from '../support/rows.ts'

let org: TestOrg
beforeAll(async () => {
  org = await makeBusyOrg()
  await tokenFor(org.orgId, 'owner')
})
afterEach(() => {
  vi.restoreAllMocks()
})

const body = { name: 'server', scopes: ['keys:read'] }
const create = (request: Request = {}) => invoke('api-keys/create', { token: org.adminKey, body, ...request })
const list = () => invoke('api-keys/list', { token: org.adminKey })

/** A request to a function that has so long to live. */
const invokeWithin = (name: OperationName, request: Request, lifeMs: number): Promise<Response> => {
  const end = Date.now() + lifeMs
  const operation = operations[name] as unknown as Operation
  return invokeEvent(name, eventFor(operation, request), { getRemainingTimeInMillis: () => end - Date.now() })
}

/** How the service's client is connected; it makes up its mind with its first request. */
async function connectionSettings() {
  await list()
  return (table().config.requestHandler as NodeHttpHandler).httpHandlerConfigs()
}

/** A client that gives up on a hanging request sooner than it would, so that a test need not wait as long as a caller. */
async function withImpatientClient<T>(run: () => Promise<T>): Promise<T> {
  const handler = table().config.requestHandler as NodeHttpHandler
  const { requestTimeout } = await connectionSettings()
  handler.updateHttpClientConfig('requestTimeout', 150)
  try {
    return await run()
  } finally {
    handler.updateHttpClientConfig('requestTimeout', requestTimeout)
  }
}

const ofCounter = ({ command, rows }: TableCall) => command === 'UpdateItemCommand' && /#RATE#/.test(rows[0] ?? '')
const ofStamp = ({ command, rows }: TableCall) => command === 'UpdateItemCommand' && / KEY#key_/.test(rows[0] ?? '')
const ofTransaction = ({ command }: TableCall) => command === 'TransactWriteItemsCommand'
const everything = () => true

/** Nothing of the inside: no table, no row, no stack, no SDK, no message of the fault. */
function expectDiscreet({ text }: Response): void {
  const inside = ['ECONNREFUSED', 'a fault of the test', 'DynamoDB', process.env.TABLE_NAME ?? '', 'EVENT#', 'KEYHASH']
  for (const word of [...inside, 'Exception', '.ts', '\\n', 'node_modules', '127.0.0.1'])
    expect(text).not.toContain(word)
}

const wireFaults = [
  ['throttles', { status: 400, type: 'com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException' }],
  ['throttles the account', { status: 400, type: 'com.amazonaws.dynamodb.v20120810#RequestLimitExceeded' }],
  ['throttles the table', { status: 400, type: 'com.amazon.coral.availability#ThrottlingException' }],
  ['fails inside', { status: 500, type: 'com.amazonaws.dynamodb.v20120810#InternalServerError' }],
  ['is unavailable', { status: 503, type: 'com.amazon.coral.service#ServiceUnavailableException' }],
] as const

describe('when the rate limit counter is broken', () => {
  function expectLetThrough(response: Response): void {
    expect(response.status).toBe(200)
    expect(response.headers.ratelimit).toBeUndefined()
    expect(response.headers['ratelimit-policy']).toBe('"default";q=100000;w=60')
  }

  test('and fails, the request goes through', async () => {
    const response = await interceptTable((call, send) => {
      if (ofCounter(call)) throw new Error('a fault of the test')
      return send()
    }, list)
    expectLetThrough(response)
    expectDiscreet(response)
  })

  test.each([wireFaults[0], wireFaults[3]])('and %s, the request goes through', async (_what, fault) => {
    vi.spyOn(Math, 'random').mockReturnValue(0.01)
    const server = await faultServer(fault)
    expectLetThrough(await divertTable(ofCounter, server, list))
    expect(server.requests()).toBeGreaterThan(0)
    server.close()
  })

  test('and hangs, the request goes through and does not wait long for it', async () => {
    const server = await faultServer('hang')
    const start = Date.now()
    expectLetThrough(await divertTable(ofCounter, server, list))
    expect(Date.now() - start).toBeLessThan(3000)
    expect(server.requests()).toBeGreaterThan(0)
    server.close()
  })

  test('requests beyond the limit go through, until the counter works again: then a reached limit holds without it', async () => {
    const { api_key } = await makeKey(org, { rate_limit_per_minute: 2 })
    const use = async () => (await invoke('api-keys/scopes', { token: api_key })).status
    const useWithoutCounter = () =>
      interceptTable((call, send) => {
        if (ofCounter(call)) throw new Error('a fault of the test')
        return send()
      }, use)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
    try {
      expect(await use()).toBe(200)
      expect([await useWithoutCounter(), await useWithoutCounter()]).toEqual([200, 200])
      expect([await use(), await use(), await useWithoutCounter()]).toEqual([200, 429, 429])
    } finally {
      vi.useRealTimers()
    }
  })

  test('and fails, all requests that wait for the same lease go through', async () => {
    const { api_key } = await makeKey(org, { rate_limit_per_minute: 100 })
    let failures = 0
    const answers = await interceptTable(
      async (call, send) => {
        if (!ofCounter(call)) return send()
        failures++
        await new Promise((resolve) => setTimeout(resolve, 50))
        throw new Error('a fault of the test')
      },
      () => Promise.all(Array.from({ length: 8 }, () => invoke('api-keys/scopes', { token: api_key }))),
    )
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200))
    expect(failures).toBeLessThan(8)
  })
})

describe('when last_used_at cannot be written', () => {
  test('the request goes through as if it were', async () => {
    const { api_key } = await makeKey(org)
    let failed = 0
    const use = () => invoke('api-keys/scopes', { token: api_key })
    const response = await interceptTable((call, send) => {
      if (!ofStamp(call)) return send()
      failed++
      throw new Error('a fault of the test')
    }, use)
    expect([response.status, failed]).toEqual([200, 1])
    expect((await use()).status).toBe(200)
  })

  test('and the write hangs, the request goes through once it is given up', async () => {
    const { api_key } = await makeKey(org)
    const server = await faultServer('hang')
    const use = () => invoke('api-keys/scopes', { token: api_key })
    const response = await withImpatientClient(() => divertTable(ofStamp, server, use))
    expect(server.requests()).toBeGreaterThan(0)
    server.close()
    expect(response.status).toBe(200)
  })
})

describe('when the table is away', () => {
  const closedPort = async (): Promise<number> => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    return port
  }

  function expectTryAgain(response: Response): void {
    expectProblem(response, 'service_unavailable')
    expect(response.body.retryable).toBe(true)
    expect(response.headers['retry-after']).toMatch(/^[1-9]\d*$/)
    expectDiscreet(response)
  }

  test('a request gets a retryable answer, also if its caller cannot be authenticated', async () => {
    const port = await closedPort()
    expectTryAgain(await divertTable(everything, { port }, list))
    expectTryAgain(await divertTable(everything, { port }, () => create()))
  })

  test.each(wireFaults)('for it %s: a read and a write get a retryable answer', async (_what, fault) => {
    // The client's pauses between its attempts are random parts of up to a second.
    vi.spyOn(Math, 'random').mockReturnValue(0.01)
    const server = await faultServer(fault)
    const broken = (call: TableCall) => call.command === 'QueryCommand' || ofTransaction(call)
    const answers = await divertTable(broken, server, () => Promise.all([list(), create()]))
    for (const answer of answers) expectTryAgain(answer)
    server.close()
  })

  test.each([
    ['at the look-up of the key', ({ rows }: TableCall) => rows[0]?.startsWith('KEYHASH#') ?? false],
    [
      'at the record of the key',
      ({ command, rows }: TableCall) => command === 'GetItemCommand' && / KEY#/.test(rows[0] ?? ''),
    ],
    ['at the list', ({ command }: TableCall) => command === 'QueryCommand'],
    ['at the transaction', ofTransaction],
  ])('%s, and hangs: the request ends with a retryable answer', async (_where, chosen) => {
    // A key of its own, for the process remembers whose key one is.
    const { api_key: token } = await makeKey(org, { scopes: ['keys:read', 'keys:write'] })
    const server = await faultServer('hang')
    const answers = await withImpatientClient(() =>
      divertTable(chosen, server, () => Promise.all([invoke('api-keys/list', { token }), create({ token })])),
    )
    expect(server.requests()).toBeGreaterThan(0)
    server.close()
    expect(answers.map(({ status }) => status)).toContain(503)
    for (const answer of answers) if (answer.status >= 400) expectTryAgain(answer)
  })

  test('and hangs again and again, the client has given up before the function ends', async () => {
    const functionLifeMs = 28_000
    const { requestTimeout = Infinity, throwOnRequestTimeout } = await connectionSettings()
    expect(throwOnRequestTimeout).toBe(true)
    expect((await table().config.maxAttempts()) * requestTimeout).toBeLessThan(functionLifeMs - 5000)
  })

  test('and hangs while the caller is looked up, the caller has an answer before the function ends', async () => {
    const { api_key: token } = await makeKey(org, { scopes: ['keys:read'] })
    const server = await faultServer('hang')
    const end = Date.now() + 1300
    const context = { getRemainingTimeInMillis: () => end - Date.now() }
    const event = eventFor(operations['api-keys/list'] as unknown as Operation, { token })
    const response = await divertTable(everything, server, () => invokeEvent('api-keys/list', event, context))
    server.close()
    expectProblem(response, 'request_timeout')
    expect(Date.now()).toBeLessThan(end)
  })

  test('only for a moment: the client tries again by itself and the caller never knows', async () => {
    const server = await faultServer({ status: 500, type: 'com.amazonaws.dynamodb.v20120810#InternalServerError' })
    const response = await divertTable(
      ({ command }) => command === 'QueryCommand' && server.requests() === 0,
      server,
      list,
    )
    expect(response.status).toBe(200)
    expect(server.requests()).toBe(1)
    server.close()
  })

  test('a malformed credential is still 401, because no read of the table is necessary', async () => {
    const response = await divertTable(everything, { port: await closedPort() }, () =>
      invoke('api-keys/list', { token: `${org.adminKey.slice(0, -1)}_` }),
    )
    expectProblem(response, 'invalid_api_key')
  })

  test('liveness does not depend on it', async () => {
    const response = await divertTable(everything, { port: await closedPort() }, () => invoke('meta/health'))
    expect(response.status).toBe(200)
  })
})

describe('when an unexpected error occurs', () => {
  const where: [string, (call: TableCall) => boolean][] = [
    ['while authenticating', ({ command, rows }) => command === 'GetItemCommand' && / KEY#/.test(rows[0] ?? '')],
    ['while writing', ofTransaction],
  ]

  test.each(where)('%s, the answer is a 500 with the request id and nothing of the inside', async (_where, chosen) => {
    const logged = logLines.length
    const response = await interceptTable((call, send) => {
      if (chosen(call)) throw new Error('a fault of the test at /var/task/shared/table/client.ts')
      return send()
    }, create)
    expectProblem(response, 'server_error')
    expect(response.body.request_id).toMatch(/^[0-9A-Z]{26}$/)
    expectDiscreet(response)
    const told = logLines.slice(logged).find((line) => line.includes('"level":"ERROR"'))
    expect(told).toContain(response.body.request_id)
    expect(told).toContain('a fault of the test')
  })

  test.each([
    ['AccessDeniedException', 'com.amazon.coral.service#AccessDeniedException'],
    ['ValidationException', 'com.amazon.coral.validate#ValidationException'],
    ['ResourceNotFoundException', 'com.amazonaws.dynamodb.v20120810#ResourceNotFoundException'],
  ])('%s of the table is a 500: trying again would not help', async (_name, type) => {
    const server = await faultServer({ status: 400, type })
    const response = await divertTable(({ command }) => command === 'QueryCommand', server, list)
    expectProblem(response, 'server_error')
    expectDiscreet(response)
    expect(server.requests()).toBe(1)
    server.close()
  })

  test('a thrown value that is no error is a 500 too', async () => {
    const response = await interceptTable(({ command }, send) => {
      if (command === 'QueryCommand') throw 'a fault of the test'
      return send()
    }, list)
    expectProblem(response, 'server_error')
    expectDiscreet(response)
  })

  test('a denied attempt that cannot be recorded is still denied', async () => {
    const { api_key } = await makeKey(org)
    const response = await interceptTable(
      (call, send) => {
        if (ofTransaction(call)) throw new Error('a fault of the test')
        return send()
      },
      () => create({ token: api_key }),
    )
    expectProblem(response, 'forbidden')
    expectDiscreet(response)
  })
})

describe('when a transaction holds the row of a single write', () => {
  const conflict = () => new TransactionConflictException({ message: 'a fault of the test', $metadata: {} })

  /** Runs `run` while the first writes that `chosen` picks meet a conflict; says how often they were tried. */
  async function withConflicts<R>(chosen: (call: TableCall) => boolean, conflicts: number, run: () => Promise<R>) {
    vi.spyOn(Math, 'random').mockReturnValue(0.01)
    let attempts = 0
    const response = await interceptTable((call, send) => {
      if (chosen(call) && ++attempts <= conflicts) throw conflict()
      return send()
    }, run)
    return { response, attempts }
  }
  const ofIdempotency = ({ command, rows }: TableCall) => command === 'PutItemCommand' && /#IDEM#/.test(rows[0] ?? '')
  const keeping = ({ command, rows }: TableCall) => command === 'UpdateItemCommand' && /#IDEM#/.test(rows[0] ?? '')

  test('an idempotency record is taken when the row is free', async () => {
    const headers = { 'idempotency-key': randomUUID() }
    const { response, attempts } = await withConflicts(ofIdempotency, 4, () => create({ headers }))
    expect([response.status, attempts]).toEqual([201, 5])
    expect((await create({ headers })).headers['idempotency-replayed']).toBe('true')
  })

  test('the answer of a refusal is kept when the row is free', async () => {
    const { id } = await makeKey(org)
    await invoke('api-keys/revoke', { token: org.adminKey, params: { key_id: id } })
    const headers = { 'idempotency-key': randomUUID() }
    const rotate = () => invoke('api-keys/rotate', { token: org.adminKey, params: { key_id: id }, body: {}, headers })
    const { response, attempts } = await withConflicts(keeping, 4, rotate)
    expectProblem(response, 'conflict')
    expect(attempts).toBe(5)
    expect((await rotate()).headers['idempotency-replayed']).toBe('true')
  })

  test('a lease is taken when the row is free', async () => {
    const key = { pk: `ORG#${org.orgId}`, sk: `LOCK#${randomUUID()}` }
    const ofLease = ({ rows }: TableCall) => rows[0]?.endsWith(key.sk) ?? false
    vi.spyOn(Math, 'random').mockReturnValue(0.01)
    let attempts = 0
    const lease = await interceptTable(
      (call, send) => {
        if (ofLease(call) && ++attempts <= 4) throw conflict()
        return send()
      },
      () => tryLease(key, 60_000, realTiming),
    )
    expect([lease !== undefined, attempts]).toEqual([true, 5])
    expect(await tryLease(key, 60_000, realTiming)).toBeUndefined()
  })

  test('a successful test of a target is stamped when the row is free', async () => {
    const runtime = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"object":"list","data":[{"id":"m"}]}')
    }).listen(0, '127.0.0.1')
    await once(runtime, 'listening')
    const endpoint = `http://127.0.0.1:${(runtime.address() as AddressInfo).port}`
    const made = await invoke('execution/create-local-target', {
      token: org.adminKey,
      body: { name: 'runtime', endpoint, runtime: 'vllm' },
    })
    const params = { target_id: made.body.id }
    const ofTarget = ({ command, rows }: TableCall) =>
      command === 'UpdateItemCommand' && (rows[0]?.endsWith(`TGT#${made.body.id}`) ?? false)
    const { response, attempts } = await withConflicts(ofTarget, 4, () =>
      invoke('execution/test-local-target', { token: org.adminKey, params }),
    )
    runtime.close()
    expect([response.status, response.body.success, attempts]).toEqual([200, true, 5])
    const { body } = await invoke('execution/get-local-target', { token: org.adminKey, params })
    expect(body.last_verified_at).not.toBeNull()
  })

  test('for as long as anyone waits, the request is 503 and can be repeated', async () => {
    const { response, attempts } = await withConflicts(ofIdempotency, 1000, () =>
      create({ headers: { 'idempotency-key': randomUUID() } }),
    )
    expectProblem(response, 'service_unavailable')
    expect(response.body.retryable).toBe(true)
    expect(attempts).toBeLessThan(20)
    expectDiscreet(response)
  })
})

describe('when transactions lose races', () => {
  const conflict = (code: string) =>
    new TransactionCanceledException({
      message: 'Transaction cancelled',
      $metadata: {},
      CancellationReasons: [{ Code: 'None' }, { Code: 'None' }, { Code: 'None' }, { Code: code }],
    })

  test.each(['TransactionConflict', 'ThrottlingError', 'ProvisionedThroughputExceeded'])(
    'by %s again and again and then not, the change lands once',
    async (code) => {
      vi.spyOn(Math, 'random').mockReturnValue(0.01)
      const [keys, events] = [await rowsOf(org.orgId, 'KEY#'), await rowsOf(org.orgId, 'EVENT#')]
      let attempts = 0
      const response = await interceptTable((call, send) => {
        if (ofTransaction(call) && ++attempts <= 7) throw conflict(code)
        return send()
      }, create)
      expect([response.status, attempts]).toEqual([201, 8])
      expect((await rowsOf(org.orgId, 'KEY#')).length - keys.length).toBe(1)
      expect((await rowsOf(org.orgId, 'EVENT#')).length - events.length).toBe(1)
      await expectWholeChain(org)
    },
  )

  test('for ever, the caller gets a retryable answer before the function ends, and nothing was written', async () => {
    // Pauses of 45, 90, 180 and 360 ms: the next one would end after the deadline.
    vi.spyOn(Math, 'random').mockReturnValue(0.9)
    const keys = await rowsOf(org.orgId, 'KEY#')
    const request = { token: org.adminKey, body, headers: { 'idempotency-key': 'lost-races' } }
    const start = Date.now()
    const response = await interceptTable(
      (call, send) => {
        if (ofTransaction(call)) throw conflict('TransactionConflict')
        return send()
      },
      () => invokeWithin('api-keys/create', request, 2000),
    )
    expect(Date.now() - start).toBeLessThan(1500)
    expectProblem(response, 'service_unavailable')
    expectDiscreet(response)
    expect(response.body.retryable).toBe(true)
    expect(response.headers['retry-after']).toMatch(/^[1-9]\d*$/)
    expect(await rowsOf(org.orgId, 'KEY#')).toHaveLength(keys.length)
    const again = await invoke('api-keys/create', request)
    expect(again.status).toBe(201)
    expect(again.headers['idempotency-replayed']).toBeUndefined()
  })

  test('a cancellation for another reason is a 500 and is not tried again', async () => {
    let attempts = 0
    const response = await interceptTable((call, send) => {
      if (!ofTransaction(call)) return send()
      attempts++
      throw conflict('ItemCollectionSizeLimitExceeded')
    }, create)
    expectProblem(response, 'server_error')
    expect(attempts).toBe(1)
  })
})

describe('when a transaction takes longer than the function has', () => {
  test('the caller gets that answer before the function ends', async () => {
    const response = await interceptTable(
      async (call, send) => {
        if (ofTransaction(call)) await new Promise((resolve) => setTimeout(resolve, 1500))
        return send()
      },
      () => invokeWithin('api-keys/create', { token: org.adminKey, body }, 1500),
    )
    expectProblem(response, 'request_timeout')
    expect(response.body.retryable).toBe(true)
    expectDiscreet(response)
  })
})

describe('when the keys of the token issuer cannot be had', () => {
  /** Has the service trust the issuer at this URL meanwhile. */
  async function withIssuer<T>(url: string, run: () => Promise<T>): Promise<T> {
    const configured = process.env.OIDC_ISSUER
    process.env.OIDC_ISSUER = url
    try {
      return await run()
    } finally {
      process.env.OIDC_ISSUER = configured
    }
  }

  type Answer = { status: number; body: string } | 'hang'
  /** An issuer that answers discovery and keys so; `ISSUER` stands for its own URL. */
  async function brokenIssuer(discovery: Answer, keys: Answer) {
    const server = createServer((request, response) => {
      const answer = request.url?.endsWith('openid-configuration') ? discovery : keys
      if (answer === 'hang') return
      response.writeHead(answer.status, { 'content-type': 'application/json' })
      response.end(answer.body.replaceAll('ISSUER', url))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return {
      url,
      close: () => {
        server.closeAllConnections()
        server.close()
      },
    }
  }
  const found: Answer = { status: 200, body: '{"issuer":"ISSUER","jwks_uri":"ISSUER/jwks.json"}' }
  const down: Answer = { status: 500, body: 'down' }

  test.each<[string, Answer, Answer]>([
    ['discovery fails', down, down],
    ['discovery is no JSON', { status: 200, body: '<html>' }, down],
    ['discovery names no keys', { status: 200, body: '{}' }, down],
    ['the keys fail', found, down],
    ['the keys are no JSON', found, { status: 200, body: '<html>' }],
    ['the keys are no key set', found, { status: 200, body: '{"keys":7}' }],
  ])('for %s, a token is not refused as if it were bad: 503', async (_what, discovery, keys) => {
    const token = await tokenFor(org.orgId, 'owner')
    const issuer = await brokenIssuer(discovery, keys)
    const response = await withIssuer(issuer.url, () => invoke('api-keys/list', { token }))
    issuer.close()
    expectProblem(response, 'service_unavailable')
    expect(response.body.retryable).toBe(true)
    expect(response.headers['retry-after']).toMatch(/^[1-9]\d*$/)
    expectDiscreet(response)
  })

  test('503 while no issuer listens there; then the token is accepted', async () => {
    const token = await tokenFor(org.orgId, 'owner')
    expectProblem(
      await withIssuer('http://127.0.0.1:1', () => invoke('api-keys/list', { token })),
      'service_unavailable',
    )
    expect((await invoke('api-keys/list', { token })).status).toBe(200)
  })

  test('an API key works all the same', async () => {
    const response = await withIssuer('http://127.0.0.1:1', list)
    expect(response.status).toBe(200)
  })
})
