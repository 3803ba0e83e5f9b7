/** Tests and patches of one connection at once, and requests that are sent again. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectWholeChain } from '../../support/governance.ts'
import { makeBusyOrg, type TestOrg } from '../../support/orgs.ts'
import { expectProblem } from '../../support/problems.ts'
import { heldUp, openAiModels, startProvider, type TestProvider } from '../../support/provider.ts'
import { connectionsOf, onlyFor } from './connections.ts'

const oldKey = 'sk-race-old-81Kq07Wm'
const newKey = 'sk-race-new-53Tn29Rb'

let org: TestOrg
let on: ReturnType<typeof connectionsOf>
let server: TestProvider
beforeAll(async () => {
  org = await makeBusyOrg()
  on = connectionsOf(org)
  server = await startProvider()
})
afterAll(() => server.close())

const body = () => ({ provider: 'openai_compatible', name: 'x', api_key: oldKey, base_url: `${server.url}/v1` })
const keysAsked = () => server.requests.map(({ headers }) => headers.authorization?.replace('Bearer ', ''))

async function make() {
  server.answer(openAiModels)
  const made = await on.make(body())
  server.requests.length = 0
  return made
}

/** Holds up the requests with one key; the others are answered at once. */
function holdUp(key: string, accepted: string[]) {
  const held = heldUp(onlyFor(...accepted))
  server.answer((request, response) => {
    const listener = request.headers.authorization === `Bearer ${key}` ? held.listener : onlyFor(...accepted)
    listener(request, response)
  })
  return held
}

describe('a test that another request overtakes', () => {
  test('never writes the verdict of the old key over the new one: the new one is tried', async () => {
    const made = await make()
    const held = holdUp(oldKey, [newKey])
    const testing = on.test(made.id)
    await held.asked
    const patched = await on.patch(made.id, { api_key: newKey })
    expect(patched.body).toMatchObject({ key_version: 2, verification_status: 'verified' })
    held.go()
    expect((await testing).body).toMatchObject({ success: true, error: null })
    expect((await on.get(made.id)).body).toMatchObject({
      key_version: 2,
      verification_status: 'verified',
      verification_error: null,
    })
    expect(keysAsked()).toEqual([oldKey, newKey, newKey])
  })

  test('never calls a new key that is wrong verified because the old one works', async () => {
    const made = await make()
    const held = holdUp(oldKey, [oldKey])
    const testing = on.test(made.id)
    await held.asked
    await on.patch(made.id, { api_key: newKey })
    held.go()
    expect((await testing).body).toMatchObject({ success: false, status_code: 401 })
    expect((await on.get(made.id)).body).toMatchObject({
      verification_status: 'invalid_credential',
      last_verified_at: null,
      verification_latency_ms: null,
    })
  })

  test('does not ask again when it was the name that changed, and keeps the new name', async () => {
    const made = await make()
    const held = holdUp(oldKey, [oldKey])
    const testing = on.test(made.id)
    await held.asked
    expect((await on.patch(made.id, { name: 'renamed' })).status).toBe(200)
    held.go()
    expect((await testing).body.success).toBe(true)
    expect((await on.get(made.id)).body).toMatchObject({ name: 'renamed', verification_status: 'verified' })
    expect(keysAsked()).toEqual([oldKey])
  })

  test('of a connection that is deleted meanwhile is 404, and brings nothing back', async () => {
    const made = await make()
    const held = holdUp(oldKey, [oldKey])
    const testing = on.test(made.id)
    await held.asked
    expect((await on.remove(made.id)).status).toBe(204)
    held.go()
    expectProblem(await testing, 'not_found')
    expectProblem(await on.get(made.id), 'not_found')
  })
})

describe('a patch that another request overtakes', () => {
  test('has its key verified once, and keeps the change of the other request', async () => {
    const made = await make()
    const held = holdUp(newKey, [newKey])
    const patching = on.patch(made.id, { api_key: newKey })
    await held.asked
    await on.patch(made.id, { name: 'renamed', enabled: false })
    held.go()
    expect((await patching).body).toMatchObject({ name: 'renamed', enabled: false, key_version: 2 })
    expect(keysAsked()).toEqual([newKey])
  })

  test('under an If-Match is 412 when the other was quicker', async () => {
    const made = await make()
    const held = holdUp(newKey, [newKey])
    const patching = on.patch(made.id, { api_key: newKey }, { headers: { 'if-match': made.etag } })
    await held.asked
    await on.patch(made.id, { name: 'renamed' })
    held.go()
    expectProblem(await patching, 'precondition_failed')
    expect((await on.get(made.id)).body).toMatchObject({ key_version: 1, masked: made.masked })
  })

  test('to another place: the key is tried at the place that it will be sent to', async () => {
    const made = await make()
    const other = await startProvider(onlyFor('sk-race-third-7Yb1'))
    const held = holdUp(newKey, [newKey])
    const patching = on.patch(made.id, { api_key: newKey })
    await held.asked
    const moved = await on.patch(made.id, { api_key: 'sk-race-third-7Yb1', base_url: `${other.url}/v1` })
    expect(moved.body).toMatchObject({ key_version: 2, verification_status: 'verified' })
    held.go()
    expect((await patching).body).toMatchObject({
      key_version: 3,
      base_url: `${other.url}/v1`,
      verification_status: 'invalid_credential',
    })
    other.close()
  })
})

test('20 concurrent patches and 20 tests: none is lost, every key is verified once, each has an event, the chain verifies', async () => {
  const made = await make()
  server.answer(openAiModels)
  const patches = Array.from({ length: 20 }, (_, index) => {
    if (index % 2 === 0) return { api_key: `sk-race-${index}-81Kq07Wm` }
    return index % 4 === 1 ? { name: `name ${index}` } : { enabled: false }
  })
  const answers = await Promise.all(patches.flatMap((patch) => [on.patch(made.id, patch), on.test(made.id)]))
  expect(answers.map(({ status }) => status)).toEqual(Array(40).fill(200))
  const after = (await on.get(made.id)).body
  expect(after).toMatchObject({ key_version: 11, enabled: false, verification_status: 'verified' })
  expect(after.name).toMatch(/^name \d+$/)
  const asked = keysAsked()
  for (const { api_key } of patches) {
    if (!api_key) continue
    expect(asked).toContain(api_key)
  }
  // A patch asks once for its key; a test once for each key that it finds, and there are 11.
  expect(asked.length).toBeLessThanOrEqual(10 + 20 * 11)
  const events = await on.eventsOf(made.id)
  const updated = events.filter(({ action }) => action === 'cloud_connection.updated')
  const versions = updated.flatMap(({ changes }) => changes.filter(({ field }) => field === 'key_version'))
  expect(versions.map(({ before, after: next }) => [before, next])).toEqual(
    Array.from({ length: 10 }, (_, index) => [index + 1, index + 2]),
  )
  expect(events.filter(({ action }) => action === 'cloud_connection.tested').length).toBe(20)
  await expectWholeChain(org)
})

describe('an Idempotency-Key', () => {
  test('replays a create without asking the provider again, and makes one connection', async () => {
    const mine = connectionsOf(await makeBusyOrg())
    server.answer(openAiModels)
    server.requests.length = 0
    const extra = { headers: { 'idempotency-key': 'create-1' } }
    const first = await mine.create(body(), extra)
    const again = await mine.create(body(), extra)
    expect([first.status, again.status]).toEqual([201, 201])
    expect(again.text).toBe(first.text)
    expect(again.headers).toMatchObject({
      'idempotency-replayed': 'true',
      location: first.headers.location,
      etag: first.headers.etag,
    })
    expect(server.requests.length).toBe(1)
    expect((await mine.list()).body.data.length).toBe(1)
  })

  test('of a create that is still running is 409, and the provider is called once', async () => {
    const mine = connectionsOf(await makeBusyOrg())
    const held = heldUp(openAiModels)
    server.answer(held.listener)
    server.requests.length = 0
    const extra = { headers: { 'idempotency-key': 'create-2' } }
    const first = mine.create(body(), extra)
    await held.asked
    const meanwhile = await mine.create(body(), extra)
    expectProblem(meanwhile, 'idempotency_in_progress')
    expect(meanwhile.headers['retry-after']).toBeDefined()
    held.go()
    expect((await first).status).toBe(201)
    expect(server.requests.length).toBe(1)
  })

  test('with another key of the provider is another request: 422, not a replay that drops it', async () => {
    const mine = connectionsOf(await makeBusyOrg())
    server.answer(openAiModels)
    const extra = { headers: { 'idempotency-key': 'create-3' } }
    expect((await mine.create(body(), extra)).status).toBe(201)
    expectProblem(await mine.create({ ...body(), api_key: newKey }, extra), 'idempotency_mismatch')
  })

  test('replays a test without asking again', async () => {
    const made = await make()
    const extra = { headers: { 'idempotency-key': 'test-1' } }
    const first = await on.test(made.id, extra)
    const again = await on.test(made.id, extra)
    expect([again.status, again.text]).toEqual([200, first.text])
    expect(server.requests.length).toBe(1)
  })
})
