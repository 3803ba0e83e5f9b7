/** Execution as the platform's published clients know it. Every answer is held against its closed record. */
import * as fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { OperationName } from '../../../functions/operations.ts'
import { callsDuring } from '../../support/faults.ts'
import { invoke, invokePublished, type Request } from '../../support/invoke.ts'
import { makeBusyOrg, type TestOrg } from '../../support/orgs.ts'
import { json, openAiModels, startProvider, type TestProvider } from '../../support/provider.ts'
import { putRows } from '../../support/rows.ts'
import { at, connectionRow, counted, credentialRow, getTarget, holdClock, makeTarget, setRouting } from './targets.ts'

let org: TestOrg
let server: TestProvider
beforeAll(async () => {
  server = await startProvider()
})
afterAll(() => server.close())
beforeEach(async () => {
  org = await makeBusyOrg()
  server.answer(openAiModels)
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
})

const call = <Name extends OperationName>(name: Name, more: Request = {}) =>
  invokePublished(name, { token: org.adminKey, ...more })
const on = (target_id: string) => ({ params: { target_id } })
const create = (body: object) => call('execution/create-local-target', { body })
const patch = (id: string, body: object) => call('execution/update-local-target', { ...on(id), body })
const list = async () => (await call('execution/list-local-targets')).body
const ours = async (id: string) => (await getTarget(org, id)).body
const required = { label: 'gpu box', endpoint: 'http://127.0.0.1:8000' }

async function make(more: object = {}): Promise<string> {
  const made = await create({ ...required, ...more })
  expect(made.status, made.text).toBe(201)
  return made.body.id
}

describe('a local target', () => {
  test('of a label and an endpoint alone speaks OpenAI’s protocol, is active, and is tried first', async () => {
    const made = await create(required)
    expect(made.status, made.text).toBe(201)
    const { id } = made.body
    expect(made.body).toEqual({
      ...{ id, ...required, model: '', protocol: 'openai_compatible', status: 'active', routing_priority: 0 },
      ...{ is_env_fallback: false, last_verified_at: null, verification_latency_ms: null },
      last_verification_error: null,
    })
    expect(made.headers.location).toBeUndefined()
    expect(await list()).toEqual([made.body])
    const { models, priority, weight, enabled } = await ours(id)
    expect({ models, priority, weight, enabled }).toEqual({ models: [], priority: 0, weight: 1, enabled: true })
  })

  test('is the same for a null field as for an absent one', async () => {
    const [plain, nulls] = [await make(), await make({ model: null, protocol: null, routing_priority: null })]
    const { id: _id, ...expected } = (await list()).find(({ id }: { id: string }) => id === plain)
    expect((await list()).find(({ id }: { id: string }) => id === nulls)).toEqual({ id: nulls, ...expected })
  })

  test('keeps the sent fields; its model is the first that it serves', async () => {
    const sent = { ...required, model: 'llama-3', protocol: 'vllm', routing_priority: 7 }
    expect((await create(sent)).body).toMatchObject(sent)
    await makeTarget(org, { models: ['qwen-3', 'llama-3'] })
    expect((await list())[0].model).toBe('qwen-3')
  })

  test('that the deployment names is listed first and cannot be changed', async () => {
    const id = await make()
    vi.stubEnv('LOCAL_RUNTIME_URL', 'http://127.0.0.1:11434')
    vi.stubEnv('LOCAL_RUNTIME', 'ollama')
    const [env, own] = await list()
    expect([env.id, env.is_env_fallback, env.protocol, own.id]).toEqual(['env', true, 'ollama', id])
    const refused = await patch('env', { label: 'mine' })
    expect([refused.status, refused.body.error.code]).toEqual([409, 'conflict'])
  })

  test('is tested, and shows why the last test failed', async () => {
    const id = await make({ endpoint: `${server.url}/v1` })
    const tested = await call('execution/test-local-target', on(id))
    expect(tested.body).toEqual({ success: true, error: null, latency_ms: expect.any(Number) })
    server.answer(json({}, 500))
    const failed = await call('execution/test-local-target', on(id))
    expect(failed.body.success).toBe(false)
    const [shown] = await list()
    expect([shown.verification_latency_ms, shown.last_verification_error]).toEqual([
      tested.body.latency_ms,
      failed.body.error,
    ])
    expect(shown.last_verified_at).not.toBeNull()
  })

  test('that is deleted, or belongs to another organization, is `local_runtime_not_found`', async () => {
    const id = await make()
    const stranger = await makeBusyOrg()
    for (const verb of ['update', 'delete', 'test'] as const) {
      const body = verb === 'update' ? { body: {} } : {}
      const foreign = await call(`execution/${verb}-local-target`, { ...on(id), ...body, token: stranger.adminKey })
      expect([foreign.status, foreign.body.error.code]).toEqual([404, 'local_runtime_not_found'])
    }
    const removed = await call('execution/delete-local-target', on(id))
    expect([removed.status, removed.text]).toEqual([204, ''])
    expect((await call('execution/delete-local-target', on(id))).body.error.code).toBe('local_runtime_not_found')
  })

  test.each([
    ['an unknown protocol', { protocol: 'grpc' }, 'protocol'],
    ['a priority that is negative', { routing_priority: -1 }, 'routing_priority'],
    ['a blank label', { label: ' ' }, 'label'],
    ['a model that none can be', { model: ' llama' }, 'model'],
    ['an endpoint that may not be called', { endpoint: 'http://10.0.0.1' }, 'endpoint'],
    ['a field of our own face', { weight: 3 }, 'weight'],
  ])('with %s is 400 under the published name', async (_what, change, path) => {
    const id = await make()
    for (const refused of [await create({ ...required, ...change }), await patch(id, change)]) {
      expect(refused.status, refused.text).toBe(400)
      expect(refused.body.error.details.errors.map((fault: { path: string }) => fault.path)).toEqual([path])
    }
  })
})

describe('a patch of a local target', () => {
  const changes: [object, object][] = [
    [{ label: 'spare' }, { name: 'spare' }],
    [{ endpoint: 'http://127.0.0.1:9000' }, { endpoint: 'http://127.0.0.1:9000' }],
    [{ model: 'qwen-3' }, { models: ['qwen-3'] }],
    [{ model: '' }, { models: [] }],
    [{ protocol: 'ollama' }, { runtime: 'ollama' }],
    [{ status: 'disabled' }, { enabled: false }],
    [{ status: 'active', routing_priority: 3 }, { priority: 3 }],
    [{ label: null, endpoint: null, model: null, protocol: null, status: null, routing_priority: null }, {}],
    [{}, {}],
  ]

  test.each(changes)('of %j changes nothing that it does not name', async (body, changed) => {
    const id = await makeTarget(org, { models: ['a', 'b'], weight: 5, priority: 8 })
    const before = await ours(id)
    const patched = await patch(id, body)
    expect(patched.status, patched.text).toBe(200)
    const after = await ours(id)
    expect(after).toEqual({ ...before, ...changed, updated_at: after.updated_at })
    expect(await list()).toEqual([patched.body])
  })

  test('cannot move the endpoint of a target that has a key', async () => {
    const id = await makeTarget(org, { api_key: 'sk-local-0123456789' })
    const refused = await patch(id, { endpoint: 'http://127.0.0.1:9000' })
    expect(refused.status).toBe(400)
    expect(refused.body.error.details.errors).toEqual([
      { path: 'endpoint', code: 'not_allowed', message: expect.stringContaining('/api/v2') },
    ])
  })
})

test('a local target of our own face is the same through the published one, and back', async () => {
  const target = fc.record({
    name: fc.string({ minLength: 1, maxLength: 100, unit: fc.constantFrom('a', 'Ü', '/', '日', '😀') }),
    runtime: fc.constantFrom('ollama', 'vllm', 'llamacpp', 'tgi', 'openai_compatible'),
    models: fc.constantFrom([], ['llama-3'], ['org/qwen:7b']),
    priority: fc.nat({ max: 1000 }),
    enabled: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(target, async (fields) => {
      const id = await makeTarget(org, fields)
      const shown = (await list()).find((entry: { id: string }) => entry.id === id)
      const { label, endpoint, model, protocol, status, routing_priority } = shown
      const copy = await make({ label, endpoint, model, protocol, routing_priority })
      await patch(copy, { status })
      expect(await ours(copy)).toMatchObject(fields)
      for (const made of [id, copy]) await call('execution/delete-local-target', on(made))
    }),
    { numRuns: 15 },
  )
})

describe('the execution configuration', () => {
  test('of an organization that has nothing has no targets and the default routing', async () => {
    const { body } = await call('execution/get')
    expect(body).toEqual({
      ...{ local_targets: [], cloud_targets: [] },
      ...{ routing_strategy: 'ordered_failover', cooldown_seconds: 60 },
    })
  })

  test('shows connections and credentials, as disabled where inference may not use them', async () => {
    const limits = { priority: 5, weight: 0, rpm_limit: 60, tpm_limit: 90_000 }
    const rows = [
      connectionRow(org.orgId, limits),
      connectionRow(org.orgId, { enabled: false }),
      connectionRow(org.orgId, { verification_status: 'unverified' }),
      credentialRow(org.orgId, { provider: 'groq' }),
      credentialRow(org.orgId, { enabled: false }),
    ]
    await putRows(rows)
    const { cloud_targets } = (await call('execution/get')).body
    const shown = (index: number) =>
      cloud_targets.find(({ target_id }: { target_id: string }) => target_id === rows[index]?.id)
    expect(shown(0)).toEqual({
      ...{ target_id: rows[0]?.id, provider: 'openai', connection_type: 'byok', connection_id: rows[0]?.id },
      ...{ status: 'active', routing_priority: 5, routing_weight: 0, rpm_limit: 60, tpm_limit: 90_000 },
    })
    expect(shown(3)).toEqual({
      ...{ target_id: rows[3]?.id, provider: 'groq', connection_type: 'byok', connection_id: null },
      ...{ status: 'active', routing_priority: 100, routing_weight: 1, rpm_limit: 0, tpm_limit: 0 },
    })
    expect([1, 2, 4].map((index) => shown(index).status)).toEqual(['disabled', 'disabled', 'disabled'])
    const off = { token: org.adminKey, body: { cloud_enabled: false } }
    expect((await invoke('cloud-policy/update', off)).status).toBe(200)
    const { body } = await call('execution/get')
    for (const { status } of body.cloud_targets) expect(status).toBe('disabled')
  })
})

describe('the routing', () => {
  const route = (body: object) => call('execution/update-routing', { body })

  test.each([
    ['priority', 'ordered_failover'],
    ['weighted', 'weighted_shuffle'],
    ['round_robin', 'weighted_shuffle'],
    ['least_inflight', 'least_busy'],
    ['lowest_latency', 'least_busy'],
  ])('%s reads as %s, and stays what it is while a patch does not name it', async (strategy, published) => {
    await setRouting(org, { strategy })
    expect((await call('execution/get')).body.routing_strategy).toBe(published)
    expect((await call('execution/health')).body.strategy).toBe(published)
    const body = { cloud_routing_strategy: null, cloud_cooldown_seconds: 5 }
    expect((await route(body)).body).toEqual({ cloud_routing_strategy: published, cloud_cooldown_seconds: 5 })
    const routing = await invoke('execution/get-routing', { token: org.adminKey })
    expect(routing.body).toEqual({ strategy, cooldown_seconds: 5 })
  })

  test.each([
    ['ordered_failover', 'priority'],
    ['weighted_shuffle', 'weighted'],
    ['least_busy', 'least_inflight'],
  ])('%s is stored as %s and read back', async (cloud_routing_strategy, strategy) => {
    const patched = await route({ cloud_routing_strategy })
    expect(patched.body).toEqual({ cloud_routing_strategy, cloud_cooldown_seconds: 60 })
    expect((await invoke('execution/get-routing', { token: org.adminKey })).body.strategy).toBe(strategy)
    expect((await route({})).body).toEqual(patched.body)
  })

  test.each([
    ['cloud_routing_strategy', 'round_robin'],
    ['cloud_cooldown_seconds', -1],
    ['cloud_cooldown_seconds', 3601],
    ['cooldown_seconds', 5],
  ])('with %s of %j is 400 under that name', async (field, value) => {
    const refused = await route({ [field]: value })
    expect(refused.status).toBe(400)
    expect(refused.body.error.details.errors.map(({ path }: { path: string }) => path)).toEqual([field])
  })
})

describe('live health', () => {
  const targets = async () => (await call('execution/health')).body.targets

  test('has zeros for a target of which nothing was reported', async () => {
    const target_id = await make({ protocol: 'tgi' })
    expect(await targets()).toEqual([
      {
        ...{ target_id, target_type: 'local', provider: 'tgi', cooldown_remaining: 0, rpm: 0, tpm: 0, inflight: 0 },
        ...{ successes: 0, failures: 0, failure_rate: 0, last_verified_at: null, verification_latency_ms: null },
        last_verification_error: null,
      },
    ])
  })

  test('counts requests and tokens, and the seconds that a cooldown still lasts', async () => {
    const target_id = await make()
    holdClock()
    await counted(org, { target_id, started: 42, succeeded: 15, failed: 25, tokens: 4000, inflight: 2 })
    at(10.4)
    expect((await targets())[0]).toMatchObject({
      ...{ cooldown_remaining: 49.6, rpm: 10, tpm: 960, inflight: 2 },
      ...{ successes: 15, failures: 25, failure_rate: 0.625 },
    })
    at(60)
    expect((await targets())[0].cooldown_remaining).toBe(0)
  })

  test('shows connections and credentials by their provider, with the last verification', async () => {
    const verification_error = 'OpenAI answered 500: the reason'
    const rows = [connectionRow(org.orgId, { verification_error }), credentialRow(org.orgId, { provider: 'groq' })]
    await putRows(rows)
    const [connection, credential] = await targets()
    expect(connection).toMatchObject({
      ...{ target_id: rows[0]?.id, target_type: 'cloud', provider: 'openai' },
      ...{ verification_latency_ms: 12, last_verification_error: verification_error },
      last_verified_at: rows[0]?.last_verified_at,
    })
    expect(credential).toMatchObject({ target_id: rows[1]?.id, target_type: 'cloud', provider: 'groq' })
    expect(credential.last_verified_at).toBeNull()
  })

  test('costs no more reads than our own face', async () => {
    const reads = ['GetItemCommand', 'BatchGetItemCommand', 'QueryCommand']
    const commands = async (run: () => Promise<unknown>) =>
      (await callsDuring(run))
        .map(({ command }) => command)
        .filter((command) => reads.includes(command))
        .sort()
    for (const name of ['execution/get', 'execution/health'] as const) {
      await call(name)
      const own = await commands(() => invoke(name, { token: org.adminKey }))
      expect(await commands(() => call(name))).toEqual(own)
    }
  })
})
