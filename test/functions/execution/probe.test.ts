import dns from 'node:dns'
import { createServer, type Server } from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { untested } from '../../../shared/execution/local-target.ts'
import { trailEnd } from '../../support/governance.ts'
import { invoke } from '../../support/invoke.ts'
import { logLines } from '../../support/logs.ts'
import { makeBusyOrg, type TestOrg } from '../../support/orgs.ts'
import { expectProblem, faultPaths } from '../../support/problems.ts'
import { json, raw, startProvider, type TestProvider } from '../../support/provider.ts'
import { deleteTarget, getTarget, makeTarget, patchTarget, testTarget } from './targets.ts'

const key = 'sk-probed-runtime-0123456789'

let org: TestOrg
let runtime: TestProvider
beforeAll(async () => {
  org = await makeBusyOrg()
  runtime = await startProvider(json(anyRuntime))
})
afterAll(() => runtime.close())
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
  runtime.answer(json(anyRuntime))
  runtime.requests.length = 0
})

/** Tests a new target. */
/** What every kind of runtime takes for its own. */
const anyRuntime = { models: [], model_id: 'm', data: [] }

const tested = async (body: object = {}) => testTarget(org, await makeTarget(org, { endpoint: runtime.url, ...body }))
const lastVerified = async (id: string) => (await getTarget(org, id)).body.last_verified_at

describe('the test of a local target asks', () => {
  test.each([
    ['ollama', '', '/api/tags'],
    ['ollama', '/', '/api/tags'],
    ['ollama', '/v1', '/api/tags'],
    ['ollama', '/proxy/', '/proxy/api/tags'],
    ['tgi', '', '/info'],
    ['tgi', '/v1/', '/info'],
    ['vllm', '', '/v1/models'],
    ['vllm', '/', '/v1/models'],
    ['vllm', '/v1', '/v1/models'],
    ['vllm', '/v1//', '/v1/models'],
    ['llamacpp', '/llm', '/llm/models'],
    ['openai_compatible', '/v3', '/v3/models'],
    ['openai_compatible', '/v1-openai', '/v1-openai/models'],
    ['openai_compatible', '/api', '/api/models'],
    ['ollama', '/api', '/api/tags'],
    ['ollama', '/proxy/api/', '/proxy/api/tags'],
    ['llamacpp', '/llm/v1', '/llm/v1/models'],
    ['openai_compatible', '', '/v1/models'],
    ['openai_compatible', '/api/v1/', '/api/v1/models'],
    ['openai_compatible', '/apiv1', '/apiv1/models'],
  ])('%s at %j for %s', async (name, path, asked) => {
    const { status, body } = await tested({ runtime: name, endpoint: runtime.url + path })
    expect([status, body.success]).toEqual([200, true])
    expect(runtime.requests.map((request) => [request.method, request.path])).toEqual([['GET', asked]])
  })

  test('with the key as a bearer token where one is stored, and without any where none is', async () => {
    const keyless = await makeTarget(org, { endpoint: runtime.url })
    await testTarget(org, keyless)
    const keyed = await makeTarget(org, { endpoint: runtime.url, api_key: key })
    await testTarget(org, keyed)
    await patchTarget(org, keyed, { api_key: null })
    await testTarget(org, keyed)
    expect(runtime.requests.map(({ headers }) => headers.authorization)).toEqual([
      undefined,
      `Bearer ${key}`,
      undefined,
    ])
    expect(logLines.join('')).not.toContain(key)
  })

  test('a disabled target too', async () => {
    expect((await tested({ enabled: false })).body.success).toBe(true)
  })
})

describe('the result of a test', () => {
  const result = (status_code: number | null, error: unknown) => ({
    ...{ success: error === null, latency_ms: expect.any(Number), status_code, error },
  })

  test.each([
    ['ollama', { models: [{ name: 'llama3' }] }],
    ['tgi', { model_id: 'bigscience/bloom' }],
    ['vllm', { object: 'list', data: [] }],
    ['llamacpp', { data: [{ id: '/models/My Model.gguf' }] }],
    ['openai_compatible', [{ id: 'a' }]],
  ])('is a success for the JSON of %s, and for no other 2xx', async (name, answer) => {
    runtime.answer(json(answer))
    expect((await tested({ runtime: name })).body).toEqual(result(200, null))
    for (const other of [
      raw('<!doctype html><title>A single-page app</title>', 200, { 'content-type': 'text/html' }),
      raw('', 204),
      json({ error: 'model is loading' }),
      raw('null', 200),
    ]) {
      runtime.answer(other)
      const { body } = await tested({ runtime: name })
      expect([body.success, typeof body.error]).toEqual([false, 'string'])
    }
    runtime.answer(raw(`\ufeff${JSON.stringify(answer)}`))
    expect((await tested({ runtime: name })).body.success).toBe(true)
  })

  test('quotes a page or a text that answers instead', async () => {
    runtime.answer(raw('<html><title>Sign in to the portal</title></html>', 200, { 'content-type': 'text/html' }))
    expect((await tested()).body.error).toContain('Sign in to the portal')
    runtime.answer(raw('upstream connect error', 503, { 'content-type': 'text/plain' }))
    expect((await tested()).body.error).toContain('upstream connect error')
  })

  test.each([301, 302, 307, 400, 401, 403, 404, 429, 500, 503])('is a failure for the status %i', async (status) => {
    runtime.answer(json({ secret: key }, status, { location: `${runtime.url}/elsewhere` }))
    const answer = await tested({ api_key: key })
    expect([answer.status, answer.body]).toEqual([200, result(status, expect.stringContaining(String(status)))])
    expect(answer.text).not.toContain(key)
    // No redirect is followed.
    expect(runtime.requests).toHaveLength(1)
  })

  test('is a failure when the connection is refused', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as AddressInfo
    await new Promise((resolve) => server.close(resolve))
    const { status, body } = await tested({ endpoint: `http://127.0.0.1:${port}` })
    expect([status, body]).toEqual([200, result(null, expect.stringMatching(/refused the connection/))])
  })

  test('is a failure when the connection is closed before or within the answer', async () => {
    runtime.answer((request) => request.socket.destroy())
    expect((await tested()).body).toEqual(result(null, expect.stringMatching(/closed the connection/)))
    runtime.answer((request, response) => {
      response.writeHead(200, { 'content-length': '1000' })
      response.write('a part', () => request.socket.destroy())
    })
    expect((await tested()).body).toEqual(result(null, expect.any(String)))
  })

  test('is a failure when what answers does not speak HTTP', async () => {
    const server: Server = net.createServer((socket) => void socket.end('hello\r\n\r\n')) as unknown as Server
    server.listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    expect((await tested({ endpoint })).body).toEqual(result(null, expect.stringMatching(/did not answer with HTTP/)))
    server.close()
  })

  test('is a failure when the answer is larger than 1 MiB, announced or not', async () => {
    const large = Buffer.alloc(1024 * 1024 + 1, ' ')
    runtime.answer((_request, response) =>
      response.writeHead(200, { 'content-length': String(large.byteLength) }).end(large),
    )
    expect((await tested()).body).toEqual({
      ...result(200, expect.stringMatching(/larger than 1024 KiB/)),
      success: false,
    })
    runtime.answer((_request, response) => void response.writeHead(200).write(large))
    expect((await tested()).body).toEqual({
      ...result(200, expect.stringMatching(/larger than 1024 KiB/)),
      success: false,
    })
    // One byte less is read whole, and is no JSON.
    runtime.answer((_request, response) => response.writeHead(200).end(large.subarray(1)))
    expect((await tested()).body.error).toMatch(/is not vllm/)
  })

  test('is a failure for an address that is no longer allowed, and nothing is dialed', async () => {
    const id = await makeTarget(org, { endpoint: runtime.url, api_key: key })
    vi.stubEnv('OUTBOUND_ALLOWED_CIDRS', '')
    const dialed = vi.spyOn(net, 'connect')
    const { status, body } = await testTarget(org, id)
    expect([status, body]).toEqual([200, result(null, expect.stringMatching(/private, local or reserved/))])
    expect(dialed).not.toHaveBeenCalled()
    expect(runtime.requests).toEqual([])
  })

  test.each([
    [['10.1.2.3']],
    [['169.254.169.254']],
    [['127.0.0.1']],
    [['::1']],
    [['fd00::1']],
    [['::ffff:10.0.0.1']],
    [['93.184.216.34', '192.168.0.1']],
  ])('is a failure for a name that leads to %j, without a connection', async (addresses) => {
    const id = await makeTarget(org, { endpoint: 'http://gpu.example.com:8000', api_key: key })
    vi.stubEnv('OUTBOUND_ALLOWED_CIDRS', '')
    let resolved = 0
    vi.spyOn(dns, 'lookup').mockImplementation(((
      _name: string,
      _options: object,
      callback: (...args: unknown[]) => void,
    ) => {
      resolved++
      const found = addresses.map((address) => ({ address, family: net.isIP(address) }))
      process.nextTick(() => callback(null, found))
    }) as never)
    const { status, body, text } = await testTarget(org, id)
    expect([status, body]).toEqual([200, result(null, expect.stringMatching(/private, local or reserved/))])
    expect(resolved).toBe(1)
    for (const address of addresses) expect(text).not.toContain(address)
    expect(await lastVerified(id)).toBeNull()
  })

  test('is a failure for a name that is not found', async () => {
    const id = await makeTarget(org, { endpoint: 'http://gpu.example.com:8000' })
    vi.spyOn(dns, 'lookup').mockImplementation(((_name: string, _options: object, callback: (error: Error) => void) =>
      process.nextTick(() => callback(Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' })))) as never)
    expect((await testTarget(org, id)).body).toEqual(result(null, expect.stringMatching(/was not found/)))
  })
})

describe('when a target was last verified', () => {
  test('is shown after a successful test, with the time of that test, and leaves no event', async () => {
    const id = await makeTarget(org, { endpoint: runtime.url })
    const end = await trailEnd(org)
    expect(await lastVerified(id)).toBeNull()
    runtime.answer(json({}, 500))
    await testTarget(org, id)
    expect(await lastVerified(id)).toBeNull()
    runtime.answer(json(anyRuntime))
    const before = new Date().toISOString()
    await testTarget(org, id)
    const stamped = await lastVerified(id)
    expect(stamped >= before && stamped <= new Date().toISOString()).toBe(true)
    // A failure later does not take it back.
    runtime.answer(json({}, 500))
    await testTarget(org, id)
    expect(await lastVerified(id)).toBe(stamped)
    expect(await trailEnd(org)).toBe(end)
    const health = await invoke('execution/health', { token: org.adminKey })
    const own = health.body.data.find(({ target_id }: { target_id: string }) => target_id === id)
    expect(own.last_verified_at).toBe(stamped)
  })

  test('stands beside how long that took, and why the last test failed', async () => {
    const id = await makeTarget(org, { endpoint: runtime.url })
    const verdict = async () => {
      const { last_verified_at, verification_latency_ms, verification_error } = (await getTarget(org, id)).body
      return { last_verified_at, verification_latency_ms, verification_error }
    }
    const asked = (await testTarget(org, id)).body
    const stamped = await verdict()
    expect(stamped).toMatchObject({ verification_latency_ms: asked.latency_ms, verification_error: null })
    runtime.answer(json({ error: 'out of memory' }, 500))
    const { error } = (await testTarget(org, id)).body
    expect(error).toContain('out of memory')
    expect(await verdict()).toEqual({ ...stamped, verification_error: error })
    const health = await invoke('execution/health', { token: org.adminKey })
    const own = health.body.data.find(({ target_id }: { target_id: string }) => target_id === id)
    expect(own).toMatchObject(await verdict())
    await patchTarget(org, id, { runtime: 'tgi' })
    expect(await verdict()).toEqual(untested)
  })

  /** The verification stamp after a patch. */
  async function stampsAround(patch: object): Promise<[unknown, unknown]> {
    const id = await makeTarget(org, { endpoint: runtime.url, api_key: key })
    await testTarget(org, id)
    const stamped = await lastVerified(id)
    expect(stamped).not.toBeNull()
    expect((await patchTarget(org, id, patch)).status).toBe(200)
    return [stamped, await lastVerified(id)]
  }

  test.each([
    ['another endpoint', { endpoint: 'http://127.0.0.1:9000', api_key: null }],
    ['another key', { api_key: 'sk-another-0123456789' }],
    ['no key', { api_key: null }],
  ])('is forgotten with %s', async (_name, patch) => {
    expect((await stampsAround(patch))[1]).toBeNull()
  })

  test.each([
    ['another name', { name: 'renamed' }],
    ['the endpoint that is stored', { endpoint: () => `${runtime.url}/` }],
    ['anything else', { weight: 9, priority: 1, enabled: false, models: ['m'] }],
  ])('is kept with %s', async (_name, patch) => {
    const sent = Object.entries(patch).map(([name, value]) => [name, typeof value === 'function' ? value() : value])
    const [before, after] = await stampsAround(Object.fromEntries(sent))
    expect(after).toBe(before)
  })

  test('is kept when null drops a key that is not there, which is no change', async () => {
    const id = await makeTarget(org, { endpoint: runtime.url })
    await testTarget(org, id)
    const stamped = await lastVerified(id)
    const end = await trailEnd(org)
    expect((await patchTarget(org, id, { api_key: null })).body.last_verified_at).toBe(stamped)
    expect(await trailEnd(org)).toBe(end)
  })
})

describe('a test that is under way while its target', () => {
  /** Runs `meanwhile` when the runtime has been asked and has not answered yet. */
  async function testWhile(id: string, meanwhile: () => Promise<unknown>) {
    const asked = new Promise<() => void>((resolve) => {
      runtime.answer((request, response) => resolve(() => json(anyRuntime)(request, response)))
    })
    const result = testTarget(org, id)
    const answer = await asked
    await meanwhile()
    answer()
    return result
  }

  test.each<[string, object]>([
    ['endpoint is moved', { endpoint: 'http://127.0.0.1:9000', api_key: key }],
    ['key is replaced', { api_key: 'sk-another-0123456789' }],
    ['key is dropped', { api_key: null }],
  ])('%s says nothing of the new one', async (_name, patch) => {
    const id = await makeTarget(org, { endpoint: runtime.url, api_key: key })
    const { body } = await testWhile(id, () => patchTarget(org, id, patch))
    expect(body.success).toBe(true)
    expect(await lastVerified(id)).toBeNull()
  })

  test('is renamed keeps both the name and the stamp', async () => {
    const id = await makeTarget(org, { endpoint: runtime.url })
    await testWhile(id, () => patchTarget(org, id, { name: 'renamed' }))
    expect((await getTarget(org, id)).body).toMatchObject({ name: 'renamed', last_verified_at: expect.any(String) })
  })

  test('is deleted does not bring it back', async () => {
    const id = await makeTarget(org, { endpoint: runtime.url })
    const { status, body } = await testWhile(id, () => deleteTarget(org, id))
    expect([status, body.success]).toEqual([200, true])
    expectProblem(await getTarget(org, id), 'not_found')
  })

  test('ten tests and ten patches at once lose neither a stamp nor a patch', async () => {
    const own = await makeBusyOrg()
    const id = await makeTarget(own, { endpoint: runtime.url })
    const ten = Array.from({ length: 10 }, (_, at) => at)
    const fields = (at: number) => (at % 2 ? { weight: 10 + at } : { priority: 10 + at })
    const answers = await Promise.all([
      ...ten.map(() => testTarget(own, id)),
      ...ten.map((at) => patchTarget(own, id, fields(at))),
    ])
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    const { body } = await getTarget(own, id)
    expect(body.last_verified_at).not.toBeNull()
    expect(body.weight).toBeGreaterThan(10)
    expect(body.priority).toBeGreaterThanOrEqual(10)
  })
})

describe('the test of the target that the deployment names', () => {
  test('asks it, without a key, and stamps nothing', async () => {
    vi.stubEnv('LOCAL_RUNTIME_URL', `${runtime.url}/`)
    vi.stubEnv('LOCAL_RUNTIME', 'ollama')
    const { status, body } = await testTarget(org, 'env')
    expect([status, body.success]).toEqual([200, true])
    expect(runtime.requests.map(({ path, headers }) => [path, headers.authorization])).toEqual([
      ['/api/tags', undefined],
    ])
    expect((await getTarget(org, 'env')).body.last_verified_at).toBeNull()
  })

  test('is a failure where the stage does not allow its address', async () => {
    vi.stubEnv('LOCAL_RUNTIME_URL', runtime.url)
    vi.stubEnv('OUTBOUND_ALLOWED_CIDRS', '')
    expect((await testTarget(org, 'env')).body).toMatchObject({ success: false, status_code: null })
    expect(runtime.requests).toEqual([])
  })
})

test('a test may have no body or an empty one, and none with fields', async () => {
  const id = await makeTarget(org, { endpoint: runtime.url })
  expect((await testTarget(org, id, {})).status).toBe(200)
  expect(faultPaths(await testTarget(org, id, { timeout: 1 }))).toEqual(['timeout'])
})
