/** One POST over real sockets to loopback: the status decides, whatever follows it. gRPC over real HTTP/2. */
import { once } from 'node:events'
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { post } from '../../../shared/outbound/call.ts'
import { postGrpc } from '../../../shared/outbound/call-grpc.ts'
import { drip, raw, reset, startProvider, type TestProvider } from '../../support/provider.ts'

let provider: TestProvider
beforeEach(async () => {
  provider = await startProvider()
})
afterEach(() => {
  vi.useRealTimers()
  provider.close()
})

describe('a post', () => {
  test('sends the body with its length, and headers as given', async () => {
    provider.answer((request, response) => {
      let body = ''
      request.on('data', (chunk) => {
        body += chunk
      })
      request.on('end', () => response.writeHead(body === 'grüße' ? 202 : 400, { 'retry-after': '7' }).end())
    })
    const sent = await post(`${provider.url}/hook`, { 'content-type': 'text/plain', 'x-team': 'a' }, 'grüße')
    expect(sent).toEqual({ status: 202, retryAfter: '7' })
    expect(provider.requests[0]).toMatchObject({
      method: 'POST',
      path: '/hook',
      headers: { 'content-length': '7', 'content-type': 'text/plain', 'x-team': 'a' },
    })
  })

  test('follows no redirect: it is the answer', async () => {
    const other = await startProvider()
    for (const status of [301, 302, 307, 308]) {
      provider.answer(raw('', status, { location: `${other.url}/` }))
      expect((await post(provider.url, {}, '')).status).toBe(status)
    }
    expect(other.requests).toEqual([])
    other.close()
  })

  test.each([
    ['that never ends', drip],
    ['that breaks off', reset],
    ['of 10 MiB', raw('x'.repeat(10 * 1024 * 1024))],
    ['that promises more than it has', raw('x', 200, { 'content-length': '1000' })],
  ])('takes the status of an answer %s, within 3 s', async (_name, listener) => {
    provider.answer(listener)
    const startedMs = performance.now()
    expect((await post(provider.url, {}, '')).status).toBe(200)
    expect(performance.now() - startedMs).toBeLessThan(3000)
  })

  test('ends after 15 s without a status', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const asked = Promise.withResolvers<void>()
    provider.answer(() => asked.resolve())
    const outcome = post(provider.url, {}, '').catch((error: unknown) => error)
    await asked.promise
    let isOver = false
    void outcome.then(() => {
      isOver = true
    })
    vi.advanceTimersByTime(14_900)
    await new Promise((resolve) => setImmediate(resolve))
    expect(isOver).toBe(false)
    vi.advanceTimersByTime(200)
    expect(await outcome).toMatchObject({ fault: 'timeout' })
  })

  test('to a closed port is a fault that names the host', async () => {
    const { url } = provider
    provider.close()
    await expect(post(url, {}, '')).rejects.toMatchObject({ fault: 'connection' })
  })
})

describe('a gRPC call', () => {
  test('sends its message over HTTP/2, and returns headers and trailers', async () => {
    const server = createServer()
    server.on('stream', (stream, headers) => {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
        stream.on('wantTrailers', () => {
          const isWhole = Buffer.concat(chunks).toString() === 'message' && headers['x-key'] === 'k'
          stream.sendTrailers({ 'grpc-status': isWhole ? '0' : '3' })
        })
        stream.end(Buffer.alloc(5))
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/service/Export`
    const answer = await postGrpc(url, { 'x-key': 'k', 'content-type': 'application/grpc' }, Buffer.from('message'))
    expect(answer).toMatchObject({ status: 200, trailers: { 'grpc-status': '0' } })
    server.close()
  })

  test('takes a status other than 200 at once, though the body never ends', async () => {
    const server = createServer()
    server.on('stream', (stream) => {
      stream.on('error', () => {})
      stream.respond({ ':status': 503, 'retry-after': '9' })
      stream.write('wait')
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/service/Export`
    expect(await postGrpc(url, {}, Buffer.from('message'))).toMatchObject({
      status: 503,
      headers: { 'retry-after': '9' },
    })
    server.close()
  })

  test('to a host without HTTP/2 is a fault', async () => {
    await expect(postGrpc(provider.url, {}, Buffer.from(''))).rejects.toMatchObject({ name: 'OutboundError' })
  })
})
