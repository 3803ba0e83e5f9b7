import { beforeAll, describe, expect, test, vi } from 'vitest'
import { untested } from '../../../shared/execution/local-target.ts'
import { eventsOf, expectWholeChain, trailEnd } from '../../support/governance.ts'
import { invoke } from '../../support/invoke.ts'
import { makeBusyOrg, type TestOrg } from '../../support/orgs.ts'
import { bareProblem, expectProblem, faultPaths } from '../../support/problems.ts'
import { putRow, rowsOf } from '../../support/rows.ts'
import { createTarget, deleteTarget, getTarget, makeTarget, patchTarget, putTargets, testTarget } from './targets.ts'

const key = 'sk-local-runtime-0123456789'
const otherKey = 'sk-local-runtime-9876543210'
const nobody = 'tgt_01jd3v7k3q9x5m2n8r4t6w0y1z'

let org: TestOrg
beforeAll(async () => {
  org = await makeBusyOrg()
})

const list = ({ adminKey }: TestOrg, query: Record<string, string> = {}) =>
  invoke('execution/list-local-targets', { token: adminKey, query })

describe('a new local target', () => {
  test('has defaults for omitted fields, an ETag and a Location', async () => {
    const { status, body, headers } = await createTarget(org)
    expect(status).toBe(201)
    const { id, created_at, updated_at, ...rest } = body
    expect(id).toMatch(/^tgt_[0-9a-z]{26}$/)
    expect(created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    expect(updated_at).toBe(created_at)
    expect(rest).toEqual({
      ...{ source: 'api', name: 'gpu box', endpoint: 'http://127.0.0.1:8000', runtime: 'vllm', models: [] },
      ...{ priority: 100, weight: 1, enabled: true, masked: null, key_version: 0, ...untested },
    })
    expect(headers.location).toBe(`/api/v2/settings/execution/local-targets/${id}`)
    const read = await getTarget(org, id)
    expect([read.status, read.body, read.headers.etag]).toEqual([200, body, headers.etag])
  })

  test('keeps every field that was sent, and its key behind a mask', async () => {
    const fields = {
      ...{ name: 'the other box', endpoint: 'https://gpu.example.com:8443/llm', runtime: 'tgi' },
      ...{ models: ['/models/My Model.gguf', 'org/qwen:7b'], priority: 0, weight: 1000, enabled: false },
    }
    const { body, text } = await createTarget(org, { ...fields, api_key: key })
    expect(body).toMatchObject({ ...fields, masked: '…6789', key_version: 1 })
    expect(text).not.toContain(key)
    const [row] = await rowsOf(org.orgId, `TGT#${body.id}`)
    expect(Buffer.from(row?.ciphertext as Uint8Array).toString('latin1')).not.toContain(key)
    expect((await getTarget(org, body.id)).text).not.toContain(key)
    expect((await list(org)).text).not.toContain(key)
  })

  test.each(['ollama', 'vllm', 'llamacpp', 'tgi', 'openai_compatible'])('may be of the runtime %s', async (runtime) => {
    expect((await createTarget(org, { runtime })).body.runtime).toBe(runtime)
  })

  test.each<[string, unknown[]]>([
    ['name', [undefined, null, '', ' ', 'x'.repeat(101), 'a\u0000b', 1]],
    [
      'endpoint',
      [
        ...[undefined, null, '', 'gpu', '127.0.0.1:8000', 'ftp://127.0.0.1', 'file:///etc/passwd', 'http://'],
        ...['http://user:pass@gpu.example.com', 'http://user@gpu.example.com', 'http://gpu.example.com:22'],
        ...['http://10.0.0.1', 'http://169.254.169.254', 'http://[fd00::1]', 'http://0x0a000001'],
        ...['http://gpu.example.com/?a=1', 'http://gpu.example.com/#a', 'http://gpu.example.com/a b', 8000],
        `http://gpu.example.com/${'x'.repeat(2048)}`,
      ],
    ],
    ['runtime', [undefined, null, '', 'vLLM', 'sglang', 1]],
    [
      'models',
      [null, 'llama', [''], [' a'], [null], ['x'.repeat(301)], Array.from({ length: 51 }, (_, at) => `m${at}`)],
    ],
    ['priority', [null, -1, 1001, 0.5, '1', Number.MAX_SAFE_INTEGER]],
    ['weight', [null, -1, 1001, 0.5, '1']],
    ['enabled', [null, 'true', 1]],
    ['api_key', [null, '', 'with space', 'with\nbreak', 'ключ', '…6789', 'x'.repeat(4097), 1]],
  ])('is 400 naming %s for what it cannot be', async (field, values) => {
    const end = await trailEnd(org)
    for (const value of values) {
      const refused = await createTarget(org, { [field]: value })
      expect(refused.status, `${field}: ${JSON.stringify(value)}`).toBe(400)
      expectProblem(refused, 'invalid_input')
      expect([...new Set(faultPaths(refused).map((path) => path.split('.')[0]))]).toEqual([field])
    }
    expect(await trailEnd(org)).toBe(end)
  })

  test('has models of 8,192 bytes together at most, so that all targets fit into one answer', async () => {
    const model = 'm'.repeat(256)
    const fits = await createTarget(org, { models: Array.from({ length: 32 }, () => model) })
    expect(fits.status, fits.text).toBe(201)
    const refused = await createTarget(org, { models: Array.from({ length: 33 }, () => model) })
    expect([refused.status, faultPaths(refused)]).toEqual([400, ['models']])
  })

  test('is refused with every fault named at once, those of unknown fields too', async () => {
    const refused = await createTarget(org, { name: '', runtime: 'x', priority: -1, models: [' a', 'ok'], url: 'x' })
    expectProblem(refused, 'invalid_input')
    expect(faultPaths(refused).sort()).toEqual(['models.0', 'name', 'priority', 'runtime', 'url'])
  })

  test('keeps its endpoint without slashes at the end', async () => {
    expect((await createTarget(org, { endpoint: 'http://127.0.0.1:8000///' })).body.endpoint).toBe(
      'http://127.0.0.1:8000',
    )
  })

  test('is one event that holds its fields and no key; a refused one is none', async () => {
    const own = await makeBusyOrg()
    const { body } = await createTarget(own, { api_key: key, models: ['llama-3'] })
    const [event, ...others] = await eventsOf(own, 'local_target.created')
    expect(others).toEqual([])
    expect(event?.resource).toEqual({ type: 'local_target', id: body.id, name: 'gpu box' })
    const told = Object.fromEntries((event?.changes ?? []).map(({ field, after }) => [field, after]))
    expect(told).toMatchObject({ endpoint: 'http://127.0.0.1:8000', runtime: 'vllm', masked: '…6789', priority: 100 })
    expect(JSON.stringify(event)).not.toContain(key)
    await expectWholeChain(own)
  })
})

describe('at most 200 local targets', () => {
  test('may be had: the next is 409 until one is deleted, of many at once too', async () => {
    const own = await makeBusyOrg()
    const { local } = await putTargets(own.orgId, { local: 199 })
    await putRow({ pk: `ORG#${own.orgId}`, sk: 'COUNT#TGT#', count: 199 })
    const answers = await Promise.all(Array.from({ length: 5 }, () => createTarget(own)))
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409])
    const refused = answers.find(({ status }) => status === 409)
    if (refused) expectProblem(refused, 'conflict')
    expect(await rowsOf(own.orgId, 'TGT#')).toHaveLength(200)
    expect((await deleteTarget(own, local[0] ?? '')).status).toBe(204)
    expect((await createTarget(own)).status).toBe(201)
    expect((await createTarget(own)).status).toBe(409)
    expect(await eventsOf(own, 'local_target.created')).toHaveLength(2)
  })
})

describe('the list of local targets', () => {
  test('is newest first in pages, each target on one of them, disabled ones too', async () => {
    const own = await makeBusyOrg()
    const ids: string[] = []
    for (let index = 0; index < 5; index++) ids.unshift(await makeTarget(own, { enabled: index % 2 === 0 }))
    const seen: string[] = []
    let cursor: string | null = null
    for (let page = 0; page < 3; page++) {
      const { body } = await list(own, { limit: '2', ...(cursor ? { cursor } : {}) })
      expect(body.data.length).toBe(page < 2 ? 2 : 1)
      seen.push(...body.data.map(({ id }: { id: string }) => id))
      cursor = body.next_cursor
    }
    expect(cursor).toBeNull()
    expect(seen).toEqual(ids)
  })

  test('is 400 for a limit or cursor that cannot be, and for any filter', async () => {
    const queries: Record<string, string>[] = [{ limit: '0' }, { limit: '101' }, { cursor: 'x' }, { runtime: 'vllm' }]
    for (const query of queries) expectProblem(await list(org, query), 'invalid_input')
  })
})

describe('a patch of a local target', () => {
  test('changes the fields it names, keeps the others, and leaves one event', async () => {
    const own = await makeBusyOrg()
    const { body: before } = await createTarget(own, { api_key: key })
    const fields = { name: 'moved', runtime: 'ollama', models: ['a', 'b'], priority: 3, weight: 0, enabled: false }
    const patched = await patchTarget(own, before.id, fields)
    expect(patched.status).toBe(200)
    expect(patched.body).toEqual({ ...before, ...fields, updated_at: patched.body.updated_at })
    expect(patched.body.updated_at >= before.updated_at).toBe(true)
    const read = await getTarget(own, before.id)
    expect([read.text, read.headers.etag]).toEqual([patched.text, patched.headers.etag])
    const [event, ...others] = await eventsOf(own, 'local_target.updated')
    expect(others).toEqual([])
    expect(event?.changes.map(({ field }) => field).sort()).toEqual(Object.keys(fields).sort())
    expect(event?.changes).toContainEqual({ field: 'weight', before: 1, after: 0 })
  })

  test('that changes nothing answers the record as it is, without an event', async () => {
    const { body: before, headers } = await createTarget(org, { models: ['a'] })
    const end = await trailEnd(org)
    const same = await patchTarget(org, before.id, { endpoint: `${before.endpoint}/`, models: ['a'], priority: 100 })
    expect([same.status, same.body, same.headers.etag]).toEqual([200, before, headers.etag])
    expect(await trailEnd(org)).toBe(end)
  })

  test('clears the models with null; null anywhere else is 400, but for the key', async () => {
    const id = await makeTarget(org, { models: ['a'], api_key: key })
    for (const field of ['name', 'endpoint', 'runtime', 'priority', 'weight', 'enabled']) {
      const refused = await patchTarget(org, id, { [field]: null })
      expectProblem(refused, 'invalid_input')
      expect(faultPaths(refused)).toEqual([field])
    }
    expect((await patchTarget(org, id, { models: null })).body.models).toEqual([])
  })

  test('is 400 when it is empty, or has unknown, read-only or invalid fields', async () => {
    const id = await makeTarget(org)
    const end = await trailEnd(org)
    expect(faultPaths(await patchTarget(org, id, {}))).toEqual([''])
    for (const field of ['id', 'source', 'masked', 'key_version', 'last_verified_at', 'url']) {
      expect(faultPaths(await patchTarget(org, id, { [field]: 'x', weight: 2 }))).toEqual([field])
    }
    for (const endpoint of ['http://10.0.0.1', 'http://user:pass@gpu.example.com', 'ftp://gpu.example.com'])
      expect(faultPaths(await patchTarget(org, id, { endpoint }))).toEqual(['endpoint'])
    expect(await trailEnd(org)).toBe(end)
  })

  test('under If-Match is applied to the record that was read and to no other', async () => {
    const { body, headers } = await createTarget(org)
    const wanted = { 'if-match': headers.etag ?? '' }
    expect((await patchTarget(org, body.id, { weight: 2 }, wanted)).status).toBe(200)
    expectProblem(await patchTarget(org, body.id, { weight: 3 }, wanted), 'precondition_failed')
    expectProblem(await deleteTarget(org, body.id, undefined, wanted), 'precondition_failed')
    expect((await getTarget(org, body.id)).body.weight).toBe(2)
  })

  test('of five at once on as many fields loses none', async () => {
    const own = await makeBusyOrg()
    const id = await makeTarget(own)
    const bodies = [{ name: 'n' }, { priority: 7 }, { weight: 9 }, { enabled: false }, { models: ['m'] }]
    const answers = await Promise.all(bodies.map((body) => patchTarget(own, id, body)))
    expect(answers.map(({ status }) => status)).toEqual(bodies.map(() => 200))
    expect((await getTarget(own, id)).body).toMatchObject(Object.assign({}, ...bodies))
    expect(await eventsOf(own, 'local_target.updated')).toHaveLength(bodies.length)
  })
})

describe('the key of a local target', () => {
  test('must come again with another endpoint, and nothing is changed when it does not', async () => {
    const { body: before, headers } = await createTarget(org, { api_key: key })
    const refused = await patchTarget(org, before.id, { endpoint: 'http://127.0.0.1:9000', weight: 5 })
    expectProblem(refused, 'invalid_input')
    expect(faultPaths(refused)).toEqual(['api_key'])
    expect((await getTarget(org, before.id)).headers.etag).toBe(headers.etag)
    const moved = await patchTarget(org, before.id, { endpoint: 'http://127.0.0.1:9000', api_key: otherKey })
    expect(moved.body).toMatchObject({ endpoint: 'http://127.0.0.1:9000', masked: '…3210', key_version: 2 })
  })

  test('is not needed again for the endpoint that is stored, however many slashes it ends in', async () => {
    const { body } = await createTarget(org, { api_key: key, endpoint: 'http://127.0.0.1:8000/v1/' })
    const patched = await patchTarget(org, body.id, { endpoint: 'http://127.0.0.1:8000/v1//', weight: 5 })
    expect(patched.body).toMatchObject({ weight: 5, masked: '…6789', key_version: 1 })
  })

  test('is dropped by null, alone or with another endpoint, after which an endpoint needs none', async () => {
    const first = await makeTarget(org, { api_key: key })
    const dropped = await patchTarget(org, first, { api_key: null })
    expect(dropped.body.masked).toBeNull()
    expect((await rowsOf(org.orgId, `TGT#${first}`))[0]?.ciphertext).toBeNull()
    expect((await patchTarget(org, first, { endpoint: 'http://127.0.0.1:9000' })).status).toBe(200)
    const second = await makeTarget(org, { api_key: key })
    const moved = await patchTarget(org, second, { endpoint: 'http://127.0.0.1:9000', api_key: null })
    expect(moved.body).toMatchObject({ endpoint: 'http://127.0.0.1:9000', masked: null })
  })

  test('counts on when another comes after one was dropped', async () => {
    const id = await makeTarget(org, { api_key: key })
    await patchTarget(org, id, { api_key: null })
    expect((await patchTarget(org, id, { api_key: otherKey })).body).toMatchObject({
      masked: '…3210',
      key_version: 2,
    })
  })

  test('appears in the event as its mask when it is replaced or removed, even if both masks are equal', async () => {
    const own = await makeBusyOrg()
    const id = await makeTarget(own, { api_key: key })
    await patchTarget(own, id, { api_key: `another-${key}` })
    await patchTarget(own, id, { api_key: null })
    const events = await eventsOf(own, 'local_target.updated')
    expect(events.map(({ changes }) => changes)).toEqual([
      [{ field: 'key_version', before: 1, after: 2 }],
      [expect.objectContaining({ field: 'masked', before: '…6789' })],
    ])
    expect(JSON.stringify(events)).not.toContain(key)
  })

  test('that is not there cannot be dropped: null changes nothing', async () => {
    const { body: before } = await createTarget(org)
    const end = await trailEnd(org)
    const same = await patchTarget(org, before.id, { api_key: null })
    expect([same.status, same.body]).toEqual([200, before])
    expect(await trailEnd(org)).toBe(end)
  })
})

describe('a deleted local target', () => {
  test('is gone for every operation, once, with its key, and leaves one event', async () => {
    const own = await makeBusyOrg()
    const id = await makeTarget(own, { api_key: key })
    expect((await deleteTarget(own, id)).status).toBe(204)
    expect(await rowsOf(own.orgId, `TGT#${id}`)).toEqual([])
    for (const answer of [
      await deleteTarget(own, id),
      await getTarget(own, id),
      await patchTarget(own, id, { weight: 2 }),
      await testTarget(own, id),
    ])
      expectProblem(answer, 'not_found')
    const events = await eventsOf(own, 'local_target.deleted')
    expect(events.map(({ resource }) => resource)).toEqual([{ type: 'local_target', id, name: 'gpu box' }])
    await expectWholeChain(own)
  })

  test('is deleted once by two at once', async () => {
    const own = await makeBusyOrg()
    const id = await makeTarget(own)
    const both = await Promise.all([deleteTarget(own, id), deleteTarget(own, id)])
    expect(both.map(({ status }) => status).sort()).toEqual([204, 404])
    expect(await eventsOf(own, 'local_target.deleted')).toHaveLength(1)
    expect((await rowsOf(own.orgId, 'COUNT#TGT#'))[0]?.count).toBe(0)
  })
})

test('a target of another org is as one that does not exist', async () => {
  const other = await makeBusyOrg()
  const foreign = await makeTarget(other)
  const operations = [getTarget, deleteTarget, testTarget] as const
  for (const operation of operations) {
    const [theirs, none] = [await operation(org, foreign), await operation(org, nobody)]
    expectProblem(theirs, 'not_found')
    expect(bareProblem(theirs)).toEqual(bareProblem(none))
  }
  const theirs = await patchTarget(org, foreign, { weight: 2 })
  expect(bareProblem(theirs)).toEqual(bareProblem(await patchTarget(org, nobody, { weight: 2 })))
  expect((await getTarget(other, foreign)).body.weight).toBe(1)
})

describe('the target that the deployment names', () => {
  test('does not exist where LOCAL_RUNTIME_URL is not set', async () => {
    for (const answer of [
      await getTarget(org, 'env'),
      await testTarget(org, 'env'),
      await patchTarget(org, 'env', { weight: 2 }),
      await deleteTarget(org, 'env'),
    ])
      expectProblem(answer, 'not_found')
    expect((await list(org)).body.data.map(({ id }: { id: string }) => id)).not.toContain('env')
  })

  describe('where it is set', () => {
    beforeAll(() => {
      vi.stubEnv('LOCAL_RUNTIME_URL', 'http://127.0.0.1:11434//')
      vi.stubEnv('LOCAL_RUNTIME', 'ollama')
      return () => vi.unstubAllEnvs()
    })

    test('is read as any other, the same for every org, without times and without a key', async () => {
      const { status, body, headers } = await getTarget(org, 'env')
      expect(status).toBe(200)
      expect(body).toEqual({
        ...{ id: 'env', source: 'env', name: expect.any(String), endpoint: 'http://127.0.0.1:11434' },
        ...{ runtime: 'ollama', models: [], priority: 1000, weight: 0, enabled: true, masked: null, key_version: 0 },
        ...{ ...untested, created_at: null, updated_at: null },
      })
      const other = await getTarget(await makeBusyOrg(), 'env')
      expect([other.text, other.headers.etag]).toEqual([JSON.stringify(body), headers.etag])
    })

    test('is of the runtime openai_compatible where none or an unknown one is named', async () => {
      for (const runtime of ['', 'unknown']) {
        vi.stubEnv('LOCAL_RUNTIME', runtime)
        expect((await getTarget(org, 'env')).body.runtime).toBe('openai_compatible')
      }
      vi.stubEnv('LOCAL_RUNTIME', 'ollama')
    })

    test('stands first on the first page only, and limit does not count it', async () => {
      const own = await makeBusyOrg()
      const ids = [await makeTarget(own), await makeTarget(own)].reverse()
      const page = async (query: Record<string, string>) => {
        const { body } = await list(own, query)
        return { ids: body.data.map(({ id }: { id: string }) => id), cursor: body.next_cursor }
      }
      const first = await page({ limit: '1' })
      expect(first.ids).toEqual(['env', ids[0]])
      const second = await page({ limit: '1', cursor: first.cursor })
      expect(second).toEqual({ ids: [ids[1]], cursor: null })
      expect((await page({ limit: '2' })).ids).toEqual(['env', ...ids])
      expect((await list(await makeBusyOrg())).body.data.map(({ id }: { id: string }) => id)).toEqual(['env'])
    })

    test('cannot be changed or deleted: 409, and nothing is recorded', async () => {
      const end = await trailEnd(org)
      expectProblem(await patchTarget(org, 'env', { weight: 2 }), 'conflict')
      expectProblem(await patchTarget(org, 'env', { endpoint: 'http://127.0.0.1:9000', api_key: key }), 'conflict')
      expectProblem(await deleteTarget(org, 'env'), 'conflict')
      expect(await trailEnd(org)).toBe(end)
      // A malformed patch has priority over other errors.
      expectProblem(await patchTarget(org, 'env', { weight: -1 }), 'invalid_input')
    })
  })
})

describe('the routing', () => {
  const get = ({ adminKey }: TestOrg) => invoke('execution/get-routing', { token: adminKey })
  const patch = ({ adminKey }: TestOrg, body: object, headers: Record<string, string> = {}) =>
    invoke('execution/update-routing', { token: adminKey, body, headers })

  test('has defaults, accepts each strategy and every valid cooldown, and leaves one event per change', async () => {
    const own = await makeBusyOrg()
    expect((await get(own)).body).toEqual({ strategy: 'priority', cooldown_seconds: 60 })
    for (const strategy of ['weighted', 'round_robin', 'least_inflight', 'lowest_latency', 'priority']) {
      const patched = await patch(own, { strategy })
      expect(patched.body).toEqual({ strategy, cooldown_seconds: 60 })
      expect((await get(own)).text).toBe(patched.text)
    }
    for (const cooldown_seconds of [0, 3600]) expect((await patch(own, { cooldown_seconds })).status).toBe(200)
    const end = await trailEnd(own)
    expect((await patch(own, { cooldown_seconds: 3600 })).status).toBe(200)
    expect(await trailEnd(own)).toBe(end)
    const events = await eventsOf(own, 'routing.updated')
    expect(events).toHaveLength(7)
    expect(events[0]).toMatchObject({
      resource: { type: 'routing', id: own.orgId },
      changes: [{ field: 'strategy', before: 'priority', after: 'weighted' }],
    })
  })

  test.each<[string, unknown[]]>([
    ['strategy', [null, '', 'random', 'Priority', 1]],
    ['cooldown_seconds', [null, -1, 3601, 0.5, '60', 1e308]],
  ])('is 400 naming %s for what it cannot be', async (field, values) => {
    for (const value of values) {
      const refused = await patch(org, { [field]: value })
      expectProblem(refused, 'invalid_input')
      expect(faultPaths(refused)).toEqual([field])
    }
  })

  test('is changed under If-Match only as it was read', async () => {
    const own = await makeBusyOrg()
    const etag = (await get(own)).headers.etag ?? ''
    expect((await patch(own, { cooldown_seconds: 5 }, { 'if-match': etag })).status).toBe(200)
    expectProblem(await patch(own, { cooldown_seconds: 6 }, { 'if-match': etag }), 'precondition_failed')
  })
})
