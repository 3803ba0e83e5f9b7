/** One GET over real sockets to loopback: what ends it, and how that reads. */
import dns from 'node:dns'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import net, { type AddressInfo, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import tls from 'node:tls'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { call, OutboundError, type OutboundFault } from '../../../shared/outbound/call.ts'
import { drip, json, openAiModels, raw, reset, startProvider, type TestProvider } from '../../support/provider.ts'

const pem = (name: string) => readFileSync(join(import.meta.dirname, `provider-test.${name}.pem`), 'utf8')
/** Signed by itself, for `provider.test`. */
const certificate = { key: pem('key'), cert: pem('cert') }

let provider: TestProvider
beforeEach(async () => {
  provider = await startProvider()
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
  provider.close()
})

async function faultOf(url: string): Promise<OutboundError> {
  const error = await call(url, { authorization: 'Bearer sk-never-told' }).then(
    () => expect.unreachable('it answered'),
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof OutboundError)) throw error
  expect(error.message).not.toMatch(/sk-never-told|authorization/i)
  return error
}

async function expectFault(url: string, fault: OutboundFault, message: RegExp): Promise<void> {
  const error = await faultOf(url)
  expect({ fault: error.fault, message: error.message }).toEqual({ fault, message: expect.stringMatching(message) })
}

/** A raw TCP server: it sends the bytes to every client. */
async function startRaw(bytes: string | undefined): Promise<{ url: string; server: Server }> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    if (bytes === undefined) socket.destroy()
    else socket.once('data', () => socket.end(bytes))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  server.unref()
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server }
}

describe('a call', () => {
  test('is one GET with the headers given, on a connection of its own', async () => {
    const answer = await call(`${provider.url}/v1/models?limit=1000`, { 'x-api-key': 'k' })
    expect(answer).toMatchObject({ status: 200, contentType: 'application/json' })
    expect(JSON.parse(answer.body.toString()).object).toBe('list')
    expect(answer.latencyMs).toBeGreaterThanOrEqual(0)
    expect(Number.isInteger(answer.latencyMs)).toBe(true)
    const [request, ...more] = provider.requests
    expect(more).toEqual([])
    expect(request).toEqual({
      method: 'GET',
      path: '/v1/models?limit=1000',
      headers: {
        accept: 'application/json',
        'accept-encoding': 'identity',
        connection: 'close',
        host: new URL(provider.url).host,
        'user-agent': 'octomil-settings/0.0.0-test',
        'x-api-key': 'k',
      },
    })
  })

  test.each([
    [301, 'permanently'],
    [302, 'found'],
    [303, 'see other'],
    [307, 'temporarily'],
    [308, 'for good'],
  ])('follows no redirect: %i (%s) is the answer, and no second request is sent', async (status) => {
    const other = await startProvider()
    const connect = net.connect
    const dialed: unknown[] = []
    vi.spyOn(net, 'connect').mockImplementation(((options: net.TcpNetConnectOpts) => {
      dialed.push(`http://${options.host}:${options.port}`)
      // The redirect names any place, but only loopback is dialed.
      return connect({ ...options, host: '127.0.0.1' })
    }) as typeof net.connect)
    for (const location of [`${other.url}/v1/models`, 'http://169.254.169.254/latest/meta-data/', '/elsewhere']) {
      provider.answer(raw('', status, { location }))
      expect(await call(`${provider.url}/v1/models`, {})).toMatchObject({ status })
    }
    expect(dialed).toEqual([provider.url, provider.url, provider.url])
    expect(other.requests).toEqual([])
    other.close()
  })

  test('does not ask a proxy that the environment names', async () => {
    const proxy = await startProvider()
    for (const name of ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy']) {
      vi.stubEnv(name, proxy.url)
    }
    vi.stubEnv('NODE_USE_ENV_PROXY', '1')
    vi.stubEnv('NO_PROXY', '')
    expect(await call(`${provider.url}/v1/models`, {})).toMatchObject({ status: 200 })
    expect([provider.requests.length, proxy.requests.length]).toEqual([1, 0])
    proxy.close()
  })

  test('reads an answer of 1 MiB whole, and none that is a byte longer, whether or not it says how long it is', async () => {
    const mebibyte = 1024 * 1024
    const chunked = (bytes: number) => {
      provider.answer((_request, response) => {
        response.writeHead(200)
        response.write('x'.repeat(1000))
        response.end('x'.repeat(bytes - 1000))
      })
    }
    const measured = (bytes: number) => provider.answer(raw('x'.repeat(bytes), 200, { 'content-length': `${bytes}` }))
    for (const send of [chunked, measured]) {
      send(mebibyte)
      expect((await call(provider.url, {})).body.byteLength).toBe(mebibyte)
      send(mebibyte + 1)
      await expectFault(provider.url, 'too_large', /^The answer is larger than 1024 KiB\.$/)
      send(2 * mebibyte)
      await expectFault(provider.url, 'too_large', /larger/)
    }
  })

  test('closes its connection at its end, after success and failure', async () => {
    let open = 0
    provider.answer((request, response) => {
      open++
      request.socket.once('close', () => open--)
      openAiModels(request, response)
    })
    await call(provider.url, {})
    await vi.waitFor(() => expect(open).toBe(0))
    provider.answer((request, response) => {
      open++
      request.socket.once('close', () => open--)
      response.on('error', () => {})
      raw('x'.repeat(8 * 1024 * 1024))(request, response)
    })
    await expectFault(provider.url, 'too_large', /larger/)
    await vi.waitFor(() => expect(open).toBe(0))
  })
})

describe('the deadline of 10 seconds', () => {
  /** The call’s own timer is turned by hand; sockets and servers keep real time. */
  async function expectTimeout(url: string, asked: () => boolean): Promise<void> {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    let ended = false
    const fault = faultOf(url).finally(() => {
      ended = true
    })
    while (!asked()) await new Promise((resolve) => setImmediate(resolve))
    await vi.advanceTimersByTimeAsync(9_999)
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(ended).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(await fault).toMatchObject({ fault: 'timeout', message: expect.stringMatching(/did not answer in time\.$/) })
  }

  test('ends a call that is not answered at all', async () => {
    provider.answer(() => {})
    await expectTimeout(provider.url, () => provider.requests.length === 1)
  })

  test('ends a call whose answer arrives byte by byte', async () => {
    provider.answer(drip)
    await expectTimeout(provider.url, () => provider.requests.length === 1)
  })

  test('ends a call whose headers arrive byte by byte', async () => {
    let asked = false
    const server = createServer((socket) => {
      asked = true
      socket.on('error', () => {})
      socket.write('HTTP/1.1 200 OK\r\n')
      const timer = setInterval(() => socket.write('x-more: 1\r\n'), 20)
      socket.on('close', () => clearInterval(timer))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    await expectTimeout(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, () => asked)
    server.close()
  })

  test('ends a call whose TLS handshake never completes', async () => {
    let asked = false
    const server = createServer((socket) => {
      asked = true
      socket.on('error', () => {})
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    await expectTimeout(`https://127.0.0.1:${(server.address() as AddressInfo).port}`, () => asked)
    server.close()
  })

  test('leaves no timer behind when the call has ended before', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    await call(provider.url, {})
    provider.answer(reset)
    await faultOf(provider.url)
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('a call that comes to nothing says why', () => {
  test('no server listens', async () => {
    const { url } = provider
    provider.close()
    await expectFault(url, 'connection', /^127\.0\.0\.1:\d+ refused the connection\.$/)
  })

  test('the connection is closed before, and in the middle of, the answer', async () => {
    const closing = await startRaw(undefined)
    await expectFault(closing.url, 'connection', /closed the connection before it answered\.$/)
    closing.server.close()
    provider.answer(reset)
    await expectFault(provider.url, 'connection', /closed the connection before it answered\.$/)
    provider.answer((_request, response) => {
      response.writeHead(200, { 'content-length': '1000' })
      response.write('x', () => response.socket?.end())
    })
    await expectFault(provider.url, 'connection', /closed the connection before it answered\.$/)
  })

  test('a name that does not exist', async () => {
    vi.spyOn(dns, 'lookup').mockImplementation(((
      hostname: string,
      _options: object,
      callback: (error: Error) => void,
    ) =>
      // The system's answer, without a DNS query. The guard uses one of the overloads.
      callback(Object.assign(new Error(hostname), { code: 'ENOTFOUND' }))) as unknown as typeof dns.lookup)
    await expectFault('http://no-such-host.invalid/v1', 'name', /^The name no-such-host\.invalid was not found\.$/)
  })

  test.each([
    ['SSH', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['SMTP', '220 mail.example.com ESMTP\r\n'],
    ['a length that is none', 'HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx'],
    ['headers without an end', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`],
  ])('an answer that is not HTTP: %s', async (_what, bytes) => {
    const { url, server } = await startRaw(bytes)
    await expectFault(url, 'protocol', /^127\.0\.0\.1:\d+ did not answer with HTTP\.$/)
    server.close()
  })

  test('an answer that stops being HTTP in the middle', async () => {
    const { url, server } = await startRaw('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n')
    expect(['connection', 'protocol']).toContain((await faultOf(url)).fault)
    server.close()
  })

  test('an upgrade that was not requested is no answer, and does not make the call wait', async () => {
    const { url, server } = await startRaw('HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n')
    const started = performance.now()
    expect(['connection', 'protocol']).toContain((await faultOf(url)).fault)
    expect(performance.now() - started).toBeLessThan(5000)
    server.close()
  })

  test('an untrusted certificate', async () => {
    const secure = await startProvider(openAiModels, certificate)
    await expectFault(secure.url, 'tls', /^No secure connection to 127\.0\.0\.1:\d+: DEPTH_ZERO_SELF_SIGNED_CERT\.$/)
    expect(secure.requests).toEqual([])
    secure.close()
  })

  test('a trusted certificate of another name', async () => {
    const secure = await startProvider(openAiModels, certificate)
    const connect = tls.connect
    vi.spyOn(tls, 'connect').mockImplementation(((options: tls.ConnectionOptions) =>
      connect({ ...options, ca: certificate.cert })) as typeof tls.connect)
    await expectFault(secure.url, 'tls', /^No secure connection to 127\.0\.0\.1:\d+: ERR_TLS_CERT_ALTNAME_INVALID\.$/)
    expect(secure.requests).toEqual([])
    secure.close()
  })

  test('no TLS where it was expected, and TLS where it was not', async () => {
    await expectFault(provider.url.replace('http:', 'https:'), 'tls', /^No secure connection to 127\.0\.0\.1:\d+: /)
    const secure = await startProvider(openAiModels, certificate)
    expect((await faultOf(secure.url.replace('https:', 'http:'))).fault).toMatch(/connection|protocol/)
    secure.close()
  })
})

test('a status other than 200 is an answer like any other', async () => {
  for (const status of [204, 400, 401, 404, 418, 500, 503, 599]) {
    provider.answer(json({ error: 'x' }, status))
    expect((await call(provider.url, {})).status).toBe(status)
  }
})
