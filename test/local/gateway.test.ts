/** The local gateway over real HTTP: what API Gateway and Lambda do around a function. `docs/gateway.md` has the sources. */
import { once } from 'node:events'
import { createServer, request as httpRequest, type IncomingHttpHeaders, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { catchAll, routeList } from '../../functions/operations.ts'
import { matchesArn, permittedSource, routeArn } from '../../lib/route-arn.ts'
import { createGateway, type GatewayOptions, type LambdaHandler } from '../../local/gateway.ts'

const servers: Server[] = []
const events: { name: string; event: APIGatewayProxyEventV2 }[] = []

beforeEach(() => {
  // The gateway prints why it refused: to a developer, not to a test.
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
})
afterEach(() => {
  vi.restoreAllMocks()
  events.length = 0
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

/** A gateway in front of functions that all return `output`; each event is kept. */
async function serve(output: unknown = { statusCode: 200, body: '{}' }, options: GatewayOptions = {}): Promise<string> {
  const load =
    async (name: string): Promise<LambdaHandler> =>
    async (event) => {
      // The gateway makes the events.
      events.push({ name, event: event as APIGatewayProxyEventV2 })
      return typeof output === 'function' ? output(event) : output
    }
  const server = createServer(createGateway({ load, ...options })).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

interface Sent {
  method?: string
  headers?: Record<string, string | string[]>
  body?: string | Buffer
}

interface Received {
  status: number
  headers: IncomingHttpHeaders
  text: string
}

/** Not fetch, which chooses headers of its own. */
const send = (url: string, { method = 'GET', headers = {}, body }: Sent = {}): Promise<Received> =>
  new Promise((resolve, reject) => {
    const request = httpRequest(url, { method, headers, agent: false }, async (response) => {
      let text = ''
      for await (const chunk of response) text += chunk
      resolve({ status: response.statusCode ?? 0, headers: response.headers, text })
    })
    request.on('error', reject)
    request.end(body)
  })

/** An answer of API Gateway's own: status, message and media type, and the id of the request. */
const expectOwn = ({ status, headers, text }: Received, expected: number, message: string) => {
  expect([status, headers['content-type'], JSON.parse(text)]).toEqual([expected, 'application/json', { message }])
  expect(headers['apigw-requestid']).toMatch(/^[0-9A-Z]{26}$/)
  expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([])
}

const health = '/api/v1/health'
const lastEvent = () => events.at(-1)?.event

describe('permissions', () => {
  const api = { region: 'eu-central-1', account: '123456789012', apiId: 'a1b2c3' }

  test('a route has an ARN with method and path, the catch-all one without', () => {
    const arn = 'arn:aws:execute-api:eu-central-1:123456789012:a1b2c3'
    expect(routeArn(api, { method: 'GET', path: '/pets/{id}' })).toBe(`${arn}/$default/GET/pets/{id}`)
    expect(routeArn(api, '$default')).toBe(`${arn}/$default/$default`)
  })

  test.each([
    ['arn:aws:execute-api:r:1:api/*/*/*', 'arn:aws:execute-api:r:1:api/$default/GET/a/b', true],
    ['arn:aws:execute-api:r:1:api/*/*/*', 'arn:aws:execute-api:r:1:api/$default/$default', false],
    ['arn:aws:execute-api:r:1:api/*/$default', 'arn:aws:execute-api:r:1:api/$default/$default', true],
    ['arn:aws:execute-api:r:1:api/*/$default', 'arn:aws:execute-api:r:1:api/$default/GET/a', false],
    ['arn:aws:execute-api:r:1:ap?/*', 'arn:aws:execute-api:r:1:api/x', true],
    ['arn:aws:execute-api:r:1:ap?/*', 'arn:aws:execute-api:r:1:ap/x', false],
    ['arn:aws:execute-api:r:1:a.i/*', 'arn:aws:execute-api:r:1:api/x', false],
    ['arn:aws:*:api/*', 'arn:aws:execute-api:r:1:api/x', false],
    ['*', 'arn:aws:execute-api:r:1:api/x', false],
    ['arn:aws:execute-api:*:*:api/*', 'arn:aws:execute-api:r:1:api/a:b', true],
  ])('%s on %s: %s', (pattern, arn, matches) => {
    expect(matchesArn(pattern, arn)).toBe(matches)
  })

  test('the permission of each function matches all of its routes', () => {
    const refused = routeList.filter(
      ({ operation, route }) =>
        !matchesArn(`${routeArn(api, '$default').split('/')[0]}${permittedSource(operation)}`, routeArn(api, route)),
    )
    expect(refused).toEqual([])
  })

  test('a path without a route reaches the catch-all by the permission that the templates give it', async () => {
    const url = await serve()
    expect((await send(`${url}/nowhere`)).status).toBe(200)
    expect(events.map(({ name }) => name)).toEqual([catchAll.name])
  })

  test('a permission that does not match the route is a 500, and the function does not run', async () => {
    const url = await serve(undefined, { permission: () => '/*/*/*' })
    expectOwn(await send(`${url}/nowhere`), 500, 'Internal Server Error')
    expect(events).toEqual([])
    expect((await send(url + health)).status).toBe(200)
    expect(vi.mocked(console.error).mock.calls.flat().join()).toContain('catch-all/unmatched')
  })
})

describe('throttles', () => {
  test('a burst beyond the bucket is a 429, and tokens come back with time', async () => {
    let nowMs = 0
    const url = await serve(undefined, { throttle: { rateLimit: 2, burstLimit: 3 }, now: () => nowMs })
    const statuses = async (count: number) => {
      const answers: number[] = []
      for (let sent = 0; sent < count; sent++) answers.push((await send(`${url}/api/v2/settings`)).status)
      return answers
    }
    expect(await statuses(4)).toEqual([200, 200, 200, 429])
    expectOwn(await send(`${url}/api/v2/settings`), 429, 'Too Many Requests')
    expect(events).toHaveLength(3)
    nowMs = 500
    expect(await statuses(2)).toEqual([200, 429])
    nowMs = 60_000
    expect(await statuses(4)).toEqual([200, 200, 200, 429])
  })

  test('each route has a separate bucket, for any ids in the path', async () => {
    const url = await serve(undefined, { throttle: { rateLimit: 1, burstLimit: 1 }, now: () => 0 })
    const keys = `${url}/api/v2/settings/api-keys`
    const statuses = async (paths: string[]) => Promise.all(paths.map(async (path) => (await send(path)).status))
    expect((await statuses([`${keys}/key_1`, `${keys}/key_2`, `${keys}/key_3`])).sort()).toEqual([200, 200, 429])
    expect(await statuses([keys, `${url}/nowhere`])).toEqual([200, 200])
  })

  test('without a throttle no request is refused', async () => {
    const url = await serve()
    const answers = await Promise.all(Array.from({ length: 300 }, () => send(url + health)))
    expect(answers.filter(({ status }) => status !== 200)).toEqual([])
  })
})

describe('limits', () => {
  const post = (bytes: number, type = 'application/json') => ({
    method: 'POST',
    headers: { 'content-type': type },
    body: Buffer.alloc(bytes, 'a'),
  })

  test('a body over 10 MB is a 413 before Lambda is asked', async () => {
    const keys = `${await serve(undefined, { permission: () => '/none' })}/api/v2/settings/api-keys`
    expectOwn(await send(keys, post(10 * 1024 * 1024 + 1)), 413, 'Request Entity Too Large')
    expectOwn(await send(keys, post(10 * 1024 * 1024)), 500, 'Internal Server Error')
  })

  test('an event over 6 MB does not reach Lambda; base64 counts', async () => {
    const url = await serve()
    const keys = `${url}/api/v2/settings/api-keys`
    expectOwn(await send(keys, post(6 * 1024 * 1024)), 413, 'Request Entity Too Large')
    expectOwn(await send(keys, post(4.6 * 1024 * 1024, 'application/octet-stream')), 413, 'Request Entity Too Large')
    expect(events).toEqual([])
    expect((await send(keys, post(5.9 * 1024 * 1024))).status).toBe(200)
  })

  test('the request line and the header values share 10,240 bytes', async () => {
    const url = await serve()
    const host = new URL(url).host
    const line = `GET ${health} HTTP/1.1`.length
    const filling = (bytes: number) => ({ headers: { host, connection: 'close', 'x-a': 'a'.repeat(bytes) } })
    const rest = 10_240 - line - host.length - 'close'.length
    expect((await send(url + health, filling(rest))).status).toBe(200)
    expectOwn(await send(url + health, filling(rest + 1)), 431, 'Request Header Fields Too Large')
    expectOwn(await send(`${url}${health}?q=${'a'.repeat(10_240)}`), 431, 'Request Header Fields Too Large')
    expect(events).toHaveLength(1)
  })

  test('output over 6 MB is a 500', async () => {
    const output = (bytes: number) => ({ statusCode: 200, body: 'a'.repeat(bytes) })
    expectOwn(await send((await serve(output(6 * 1024 * 1024))) + health), 500, 'Internal Server Error')
    expect((await send((await serve(output(6 * 1024 * 1024 - 100))) + health)).status).toBe(200)
  })

  test('a target that is no path is a 400', async () => {
    const { port } = new URL(await serve())
    const socket = connect(Number(port), '127.0.0.1')
    socket.end('GET http://elsewhere.example/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    let text = ''
    for await (const chunk of socket) text += chunk
    expect(text).toMatch(/^HTTP\/1\.1 400 .*\{"message":"Bad Request"\}$/s)
  })
})

describe('functions that fail', () => {
  const never = () => new Promise(() => undefined)

  test('one that throws is a 500 without its message', async () => {
    const url = await serve(() => {
      throw new Error('secret detail')
    })
    expectOwn(await send(url + health), 500, 'Internal Server Error')
  })

  test('a function that exceeds its timeout is a 500, and its context has the remaining time', async () => {
    let remainingMs = 0
    const load = async (): Promise<LambdaHandler> => async (_event, context) => {
      remainingMs = (context as { getRemainingTimeInMillis(): number }).getRemainingTimeInMillis()
      return never()
    }
    const url = await serve(undefined, { load, functionTimeoutMs: 50 })
    expectOwn(await send(url + health), 500, 'Internal Server Error')
    expect(remainingMs).toBeGreaterThan(0)
    expect(remainingMs).toBeLessThanOrEqual(50)
  })

  test('one that API Gateway gives up on, cold start included, is a 503', async () => {
    const load = () => never() as Promise<LambdaHandler>
    const url = await serve(undefined, { load, integrationTimeoutMs: 50 })
    expectOwn(await send(url + health), 503, 'Service Unavailable')
  })

  test('one whose module does not load is a 500', async () => {
    const url = await serve(undefined, { load: () => Promise.reject(new Error('no such file')) })
    expectOwn(await send(url + health), 500, 'Internal Server Error')
  })

  test.each([
    ['a status that is no number', { statusCode: '200' }],
    ['a status out of range', { statusCode: 1000 }],
    ['a header that is an object', { statusCode: 200, headers: { a: {} } }],
    ['a body that is no text', { statusCode: 200, body: { a: 1 } }],
    ['cookies that are no list', { statusCode: 200, cookies: 'a=1' }],
  ])('output with %s is a 500', async (_what, output) => {
    expectOwn(await send((await serve(output)) + health), 500, 'Internal Server Error')
  })
})

describe('answers', () => {
  test.each([
    ['text', 'Hello', 'Hello'],
    ['an object', { message: 'Hello' }, '{"message":"Hello"}'],
  ])('output without a status, %s, is the JSON body of a 200', async (_what, output, text) => {
    const answer = await send((await serve(output)) + health)
    expect([answer.status, answer.headers['content-type'], answer.text]).toEqual([200, 'application/json', text])
  })

  test('each cookie is a set-cookie header', async () => {
    const url = await serve({ statusCode: 200, cookies: ['a=1; Path=/', 'b=2'], headers: { 'X-Count': 3 } })
    const { headers } = await send(url + health)
    expect([headers['set-cookie'], headers['x-count']]).toEqual([['a=1; Path=/', 'b=2'], '3'])
  })

  test("the connection's headers and the length are the gateway's own", async () => {
    const url = await serve({
      statusCode: 200,
      headers: { 'Transfer-Encoding': 'gzip', 'Keep-Alive': 'timeout=99', 'Content-Length': '1' },
      body: 'four',
    })
    const { headers, text } = await send(url + health)
    expect([headers['transfer-encoding'], headers['keep-alive'], headers['content-length'], text]).toEqual([
      ...[undefined, undefined, '4', 'four'],
    ])
  })

  test('a body in base64 is sent as bytes', async () => {
    const url = await serve({ statusCode: 200, body: Buffer.from('bytes').toString('base64'), isBase64Encoded: true })
    expect((await send(url + health)).text).toBe('bytes')
  })

  test('a HEAD has its own route, and no body', async () => {
    const { status, text } = await send((await serve()) + health, { method: 'HEAD' })
    expect([status, text, lastEvent()?.routeKey]).toEqual([200, '', `HEAD ${health}`])
  })

  test('a preflight goes to the catch-all, since the API configures no CORS', async () => {
    await send((await serve()) + health, { method: 'OPTIONS', headers: { origin: 'https://a.example' } })
    expect([lastEvent()?.routeKey, lastEvent()?.requestContext.http.method]).toEqual(['$default', 'OPTIONS'])
  })
})

describe('events', () => {
  test('header names are in lower case, and repeated headers are joined by commas', async () => {
    const headers = { 'X-Many': ['1', '2'], 'X-API-Key': 'k' }
    await send((await serve()) + health, { headers })
    expect(lastEvent()?.headers).toMatchObject({ 'x-many': '1,2', 'x-api-key': 'k' })
  })

  test('cookies stand apart from the headers', async () => {
    await send((await serve()) + health, { headers: { cookie: 'a=1; b=2' } })
    expect([lastEvent()?.cookies, lastEvent()?.headers.cookie]).toEqual([['a=1', 'b=2'], undefined])
  })

  test("the connection's headers, and those that it names, are not passed on", async () => {
    const headers = { connection: 'close, X-Hop', 'x-hop': '1', te: 'trailers', 'keep-alive': '5', 'x-end': '1' }
    await send((await serve()) + health, { headers })
    expect(Object.keys(lastEvent()?.headers ?? {}).sort()).toEqual(['host', 'x-end'])
  })

  test('a repeated query field is joined by commas, and the raw query is kept', async () => {
    await send(`${await serve()}${health}?a=1&b=%20&a=2`)
    const { queryStringParameters, rawQueryString } = lastEvent() ?? {}
    expect([queryStringParameters, rawQueryString]).toEqual([{ a: '1,2', b: ' ' }, 'a=1&b=%20&a=2'])
  })

  test('an address that the client claims does not become the source', async () => {
    await send((await serve()) + health, {
      headers: { 'x-forwarded-for': '203.0.113.9', forwarded: 'for=203.0.113.9' },
    })
    expect(lastEvent()?.requestContext.http.sourceIp).toBe('127.0.0.1')
  })

  test('the request id is that of the answer, and the time that of an access log', async () => {
    const { headers } = await send((await serve()) + health)
    const { requestId, time, timeEpoch } = lastEvent()?.requestContext ?? { time: '', timeEpoch: 0 }
    expect(requestId).toBe(headers['apigw-requestid'])
    expect(time).toMatch(/^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/)
    const [, day, month, year, clock] = /^(\d+)\/(\w+)\/(\d+):(\S+)/.exec(time) ?? []
    expect(Date.parse(`${day} ${month} ${year} ${clock} UTC`)).toBe(Math.floor(timeEpoch / 1000) * 1000)
  })

  test('a full match wins over a path with a parameter', async () => {
    const url = await serve()
    await send(`${url}/api/v2/settings/api-keys/scopes`)
    await send(`${url}/api/v2/settings/api-keys/key_1`)
    expect(events.map(({ event }) => [event.routeKey, event.pathParameters])).toEqual([
      ['GET /api/v2/settings/api-keys/scopes', undefined],
      ['GET /api/v2/settings/api-keys/{key_id}', { key_id: 'key_1' }],
    ])
  })
})
