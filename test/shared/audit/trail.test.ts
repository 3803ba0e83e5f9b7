import { createHash } from 'node:crypto'
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { operations } from '../../../functions/operations.ts'
import type { Operation } from '../../../shared/http/operation.ts'
import { interceptTable, type TableCall } from '../../support/faults.ts'
import { eventFor, invoke, invokeEvent } from '../../support/invoke.ts'
import { makeBusyOrg, makeKey, type TestOrg, testIssuer, tokenFor } from '../../support/orgs.ts'
import { expectProblem, faultPaths } from '../../support/problems.ts'
import { deleteRow, putRow, putRows, rowsOf, type StoredRow } from '../../support/rows.ts'

const dayMs = 86_400_000
const genesis = '0'.repeat(64)

interface Event {
  id: string
  seq: number
  timestamp: string
  action: string
  actor: { type: string; id: string }
  resource: { type: string; id?: string }
  prev_hash: string
  hash: string
}

let org: TestOrg
afterEach(() => {
  vi.useRealTimers()
})

/** Gives each test of a group an org of its own. */
const withOrgOfItsOwn = () => {
  beforeEach(async () => {
    org = await makeBusyOrg()
  })
}

/** Gives a group one chain of this length, which is put right again after each test; hands it to the tests. */
function withOneChainOf(length: number): () => StoredRow[] {
  let rows: StoredRow[] = []
  let head: StoredRow
  beforeAll(async () => {
    org = await makeBusyOrg()
    rows = await chainOf(length)
    head = await headRow()
  })
  afterEach(async () => {
    const intact = new Set(rows.map(({ sk }) => sk))
    for (const row of await eventRows()) if (!intact.has(row.sk)) await deleteRow(row)
    await putRows([...rows, head])
  })
  return () => rows
}

/** RFC 8785 for what events hold: names in the order of their UTF-16 units, no white space, JSON's own texts and numbers. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([name, part]) => `${JSON.stringify(name)}:${canonical(part)}`).join(',')}}`
}
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const hashOf = ({ hash: _hash, ...content }: object & { hash?: unknown }) => sha256(canonical(content))

const list = (query: Record<string, string> = {}, token = org.adminKey) => invoke('audit-events/list', { token, query })

async function listAll(query: Record<string, string> = {}): Promise<Event[]> {
  const events: Event[] = []
  let cursor: string | null = null
  do {
    const { status, body, text } = await list({ limit: '3', ...query, ...(cursor ? { cursor } : {}) })
    expect(status, text).toBe(200)
    events.push(...body.data)
    cursor = body.next_cursor
  } while (cursor !== null)
  return events
}

/** The verdict on the whole chain, as the pages of its verification give it. */
async function verify(limit = 4) {
  let checked = 0
  let from_seq: number | null = null
  let cursor: string | null = null
  for (;;) {
    const query: Record<string, string> = { limit: String(limit), ...(cursor ? { cursor } : {}) }
    const { status, body, text } = await invoke('audit-events/verify', { token: org.adminKey, query })
    expect(status, text).toBe(200)
    expect(body.valid).toBe(body.first_invalid_seq === null)
    checked += body.events_checked
    from_seq ??= body.from_seq
    cursor = body.next_cursor
    if (!body.valid || cursor === null) return { ...body, checked, from_seq }
  }
}

const eventRows = () => rowsOf(org.orgId, 'AUDIT#')
const headRow = async (): Promise<StoredRow> => {
  const [row] = await rowsOf(org.orgId, 'AUDITHEAD')
  if (!row) throw new Error('the org has no head')
  return row
}
/** Adds events until the chain has this many, and hands back their rows, oldest first. */
async function chainOf(length: number): Promise<StoredRow[]> {
  const present = (await eventRows()).length
  for (let count = present; count < length; count++) await makeKey(org, { name: `key ${count}` })
  const rows = await eventRows()
  expect(rows).toHaveLength(length)
  return rows
}
const at = (rows: StoredRow[], seq: number): StoredRow => {
  const row = rows[seq - 1]
  if (!row) throw new Error(`there is no event ${seq}`)
  return row
}

describe('the events of a chain', () => {
  withOrgOfItsOwn()

  test('each contains its own hash and the previous one, which any reader can compute', async () => {
    await chainOf(7)
    const owner = await tokenFor(org.orgId, 'owner')
    await invoke('api-keys/create', {
      token: owner,
      body: { name: 'Größe "1" \\ \u2028 🚀', scopes: ['keys:read'], rate_limit_per_minute: 17 },
      headers: { 'user-agent': 'ünïcode/1.0' },
    })
    await invoke('api-keys/create', { token: org.readOnlyKey, body: {} })
    const events = (await listAll()).reverse()
    expect(events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
    let previous = genesis
    for (const event of events) {
      expect(event.prev_hash).toBe(previous)
      expect(event.hash).toMatch(/^[0-9a-f]{64}$/)
      expect(event.hash).toBe(hashOf(event))
      previous = event.hash
    }
    expect(await verify()).toMatchObject({ valid: true, checked: 9, head: { seq: 9, hash: previous } })
  })

  test('each has actor, action, resource, time, address and request id, and no unknown field', async () => {
    const owner = await tokenFor(org.orgId, 'owner')
    const response = await invoke('api-keys/create', {
      token: owner,
      body: { name: 'x', scopes: ['keys:read'] },
      ip: '203.0.113.7',
    })
    const { body } = await list({ limit: '1' })
    const [event] = body.data
    expect(Object.keys(event)).toEqual([
      'id',
      'seq',
      'timestamp',
      'action',
      'actor',
      'resource',
      'result',
      'changes',
      'request_id',
      'ip',
      'user_agent',
      'prev_hash',
      'hash',
    ])
    expect(event).toMatchObject({
      id: expect.stringMatching(/^aud_[0-7][0-9a-hjkmnp-tv-z]{25}$/),
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      actor: { type: 'user', id: 'user-owner', email: 'owner@example.com' },
      resource: { type: 'api_key', id: response.body.id, name: 'x' },
      request_id: response.headers['x-request-id'],
      ip: '203.0.113.7',
      user_agent: 'vitest',
    })
    const [made] = (await listAll({ action: 'organization.created' })) as object[]
    expect(made).not.toHaveProperty('ip')
    expect(made).toMatchObject({ seq: 1, actor: { type: 'system' }, resource: { type: 'organization', id: org.orgId } })
  })

  test.each([
    ['a user agent that is no well-formed text', { userAgent: 'agent \ud800' }, {}],
    ['a source address that is no well-formed text', { sourceIp: '\udfff\ud800' }, {}],
    ['a user agent of any length', { userAgent: 'x'.repeat(5000) }, {}],
    ['an address that is no well-formed text', {}, { email: 'owner\ud800@example.com' }],
    ['an address with any characters', {}, { email: 'ö\u0000\u2028"\\🚀@example.com' }],
  ])('%s does not break the chain', async (_what, http, claims) => {
    const { mint } = await testIssuer()
    const token = await mint({ sub: 'odd', org_id: org.orgId, role: 'owner' }, 600, claims)
    const operation = operations['api-keys/create'] as unknown as Operation
    const event = eventFor(operation, { token, body: { name: 'x', scopes: ['keys:read'] } })
    Object.assign((event.requestContext as { http: object }).http, http)
    const { status, text } = await invokeEvent('api-keys/create', event)
    expect(status, text).toBe(201)
    expect(await verify()).toMatchObject({ valid: true })
    for (const told of await listAll()) expect(told.hash).toBe(hashOf(told))
  })

  test('times never go back along the chain, though a clock does', async () => {
    const before = await chainOf(5)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 3_600_000 })
    await makeKey(org, { name: 'from a slow clock' })
    const rows = await chainOf(6)
    expect(rows.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6])
    expect(at(rows, 6).timestamp).toBe(at(before, 5).timestamp)
    expect(await verify()).toMatchObject({ valid: true, checked: 6 })
  })
})

describe('verifying a chain that was tampered with', () => {
  const chain = withOneChainOf(8)

  test.each([
    ['the actor', { actor: { type: 'user', id: 'somebody-else' } }],
    ['the action', { action: 'api_key.revoked' }],
    ['the result', { result: 'denied' }],
    ['the time', { timestamp: '2020-01-01T00:00:00.000Z' }],
    ['a change', { changes: [] }],
    ['the address', { ip: '192.0.2.1' }],
    ['the hash', { hash: 'f'.repeat(64) }],
    ['the hash before', { prev_hash: 'f'.repeat(64) }],
    ['the number', { seq: 40 }],
    ['the resource, by an added field', { resource: { type: 'api_key', id: 'key_x', name: 'y', more: 1 } }],
  ])('%s of one event: invalid from there', async (_what, changed) => {
    const rows = chain()
    await putRow({ ...at(rows, 5), ...changed })
    expect(await verify()).toMatchObject({ valid: false, first_invalid_seq: 5 })
    expect(await verify(1000)).toMatchObject({ valid: false, first_invalid_seq: 5 })
  })

  test('an event rewritten with a recomputed hash: invalid from the next event on', async () => {
    const rows = chain()
    const { pk, sk, expires_at_epoch, ...event } = { ...at(rows, 5), ip: '192.0.2.1' } as StoredRow
    await putRow({ pk, sk, expires_at_epoch, ...event, hash: hashOf(event) })
    expect(await verify()).toMatchObject({ valid: false, first_invalid_seq: 6 })
    expect(await verify(1000)).toMatchObject({ valid: false, first_invalid_seq: 6 })
  })

  test.each([2, 4, 5, 7])('event %i removed from the middle: invalid there', async (seq) => {
    const rows = chain()
    await deleteRow(at(rows, seq))
    expect(await verify()).toMatchObject({ valid: false, first_invalid_seq: seq })
    expect(await verify(1000)).toMatchObject({ valid: false, first_invalid_seq: seq })
  })

  test('the last event removed: invalid there', async () => {
    const rows = chain()
    await deleteRow(at(rows, 8))
    expect(await verify()).toMatchObject({ valid: false, first_invalid_seq: 8 })
    await deleteRow(at(rows, 7))
    expect(await verify()).toMatchObject({ valid: false, first_invalid_seq: 7 })
  })

  test('the first event of a young chain removed: invalid there', async () => {
    const rows = chain()
    await deleteRow(at(rows, 1))
    expect(await verify()).toMatchObject({ valid: false, first_invalid_seq: 1 })
  })

  test('every event of a young chain removed: invalid', async () => {
    for (const row of chain()) await deleteRow(row)
    expect(await verify()).toMatchObject({ valid: false, first_invalid_seq: 1, checked: 0 })
  })

  test('an unexpired event marked as expired: invalid, for it is passed over', async () => {
    const rows = chain()
    await putRow({ ...at(rows, 3), expires_at_epoch: 1 })
    expect(await verify()).toMatchObject({ valid: false, first_invalid_seq: 3 })
    await putRow({ ...at(rows, 3) })
    await putRow({ ...at(rows, 1), expires_at_epoch: 1 })
    expect(await verify()).toMatchObject({ valid: false, first_invalid_seq: 1 })
  })

  test('two events with their places swapped: invalid from the first of them', async () => {
    const rows = chain()
    const [fourth, sixth] = [at(rows, 4), at(rows, 6)]
    await putRow({ ...sixth, sk: fourth.sk })
    await putRow({ ...fourth, sk: sixth.sk })
    expect(await verify()).toMatchObject({ valid: false, first_invalid_seq: 4 })
  })

  /** An event that could stand at `seq`: it has the right predecessor and a hash that is right. */
  const forged = (rows: StoredRow[], seq: number, sk: string): StoredRow => {
    const model = at(rows, Math.min(seq, rows.length))
    const { pk, sk: _sk, hash: _hash, expires_at_epoch, ...content } = model
    const event = { ...content, seq, id: 'aud_01jd3v7k3q9x5m2n8r4t6w0y1z', prev_hash: at(rows, seq - 1).hash }
    return { pk, sk, expires_at_epoch, ...event, hash: hashOf(event) }
  }

  test('the whole chain rewritten without one event, head and all: invalid, for its number is missing', async () => {
    const rows = chain()
    await deleteRow(at(rows, 4))
    let previous = at(rows, 3).hash
    for (const { pk, sk, expires_at_epoch, ...event } of rows.slice(4)) {
      const rewritten = { ...event, prev_hash: previous }
      previous = hashOf(rewritten)
      await putRow({ pk, sk, expires_at_epoch, ...rewritten, hash: previous })
    }
    await putRow({ ...(await headRow()), hash: previous })
    expect(await verify()).toMatchObject({ valid: false, first_invalid_seq: 4 })
    expect(await verify(1000)).toMatchObject({ valid: false, first_invalid_seq: 4 })
  })

  test('a second event with the same predecessor: invalid where the two meet', async () => {
    const rows = chain()
    await putRow(forged(rows, 5, `${at(rows, 5).sk}-fork`))
    expect(await verify()).toMatchObject({ valid: false, first_invalid_seq: 6 })
    await deleteRow({ pk: at(rows, 5).pk, sk: `${at(rows, 5).sk}-fork` })
    expect(await verify()).toMatchObject({ valid: true })
    await putRow(forged(rows, 5, `${at(rows, 4).sk}-fork`))
    const { valid, first_invalid_seq } = await verify()
    expect(valid).toBe(false)
    expect([5, 6]).toContain(first_invalid_seq)
  })

  test('an event appended behind the back of the head: invalid there, for it never was committed', async () => {
    const rows = chain()
    await putRow(forged(rows, 9, `${at(rows, 8).sk}-more`))
    expect((await listAll()).map(({ seq }) => seq)).toContain(9)
    expect(await verify()).toMatchObject({ valid: false, first_invalid_seq: 9 })
  })

  test('a head set back to an earlier event: invalid, because the later events exist', async () => {
    const rows = chain()
    await putRow({ ...(await headRow()), seq: 4, hash: at(rows, 4).hash })
    expect(await verify()).toMatchObject({ valid: false, first_invalid_seq: 5 })
  })

  test('a head that is gone: invalid from the first event, for it is there', async () => {
    await deleteRow(await headRow())
    expect(await verify()).toMatchObject({ valid: false, first_invalid_seq: 1 })
  })

  test('a head of another hash or a later event: invalid at the end', async () => {
    const head = await headRow()
    await putRow({ ...head, hash: 'f'.repeat(64) })
    expect(await verify()).toMatchObject({ valid: false })
    await putRow({ ...head, seq: 9 })
    expect(await verify()).toMatchObject({ valid: false, first_invalid_seq: 9 })
  })
})

describe('verifying a chain that grows meanwhile', () => {
  withOrgOfItsOwn()

  test.each([
    [
      'right after its head is read',
      ({ command, rows }: TableCall) => command === 'GetItemCommand' && / AUDITHEAD$/.test(rows[0] ?? ''),
    ],
    ['right after its events are read', ({ command }: TableCall) => command === 'QueryCommand'],
  ])('an event that lands %s is no break', async (_when, chosen) => {
    const { length } = await chainOf(6)
    for (const limit of ['2', '6', '7', '1000']) {
      let landed = false
      const first = await interceptTable(
        async (call, send) => {
          const result = await send()
          if (!landed && chosen(call)) {
            landed = true
            await makeKey(org, { name: 'meanwhile' })
          }
          return result
        },
        () => invoke('audit-events/verify', { token: org.adminKey, query: { limit } }),
      )
      expect(landed).toBe(true)
      expect(first.body).toMatchObject({ valid: true, from_seq: 1, first_invalid_seq: null })
      expect(await verify(Number(limit))).toMatchObject({ valid: true })
    }
    expect((await listAll()).length).toBe(length + 4)
  })

  test('the pages of a verification are one, though events land between them', async () => {
    await chainOf(6)
    let checked = 0
    let pages = 0
    let cursor: string | null = null
    do {
      const query: Record<string, string> = { limit: '3', ...(cursor ? { cursor } : {}) }
      const { body } = await invoke('audit-events/verify', { token: org.adminKey, query })
      expect(body).toMatchObject({ valid: true, from_seq: checked + 1 })
      checked += body.events_checked
      cursor = body.next_cursor
      if (pages++ < 3) await makeKey(org, { name: 'meanwhile' })
    } while (cursor !== null)
    expect(checked).toBeGreaterThanOrEqual(8)
  })
})

describe('a chain of which the beginning has expired', () => {
  const chain = withOneChainOf(9)

  /** Marks the first events as expired, in a chain that began so long ago. */
  async function expireFirst(count: number, daysOld: number): Promise<StoredRow[]> {
    const rows = chain()
    const past = Math.floor(Date.now() / 1000) - 10
    for (const row of rows.slice(0, count)) await putRow({ ...row, expires_at_epoch: past })
    await putRow({ ...(await headRow()), started_at: new Date(Date.now() - daysOld * dayMs).toISOString() })
    return rows
  }

  test.each([1, 4, 5, 8])(
    'is valid from the oldest that is kept on, with the first %i expired and not yet deleted',
    async (count) => {
      await expireFirst(count, 60)
      for (const limit of [1, 4, 1000]) {
        const verdict = await verify(limit)
        expect(verdict).toMatchObject({ valid: true, checked: 9 - count })
        expect(verdict.from_seq).toBe(count + 1)
      }
    },
  )

  test.each([1, 4, 8])('is valid from the oldest that is kept on, with the first %i deleted', async (count) => {
    const rows = await expireFirst(count, 60)
    for (const row of rows.slice(0, count)) await deleteRow(row)
    expect(await verify()).toMatchObject({ valid: true, from_seq: count + 1, checked: 9 - count })
  })

  test.each([1, 4, 1000])(
    'is invalid when it is too young for anything to have expired, in pages of %i too',
    async (limit) => {
      await expireFirst(4, 29)
      expect(await verify(limit)).toMatchObject({ valid: false, first_invalid_seq: 1 })
    },
  )

  test('is invalid when something behind the beginning is missing', async () => {
    const rows = await expireFirst(3, 60)
    await deleteRow(at(rows, 6))
    expect(await verify()).toMatchObject({ valid: false, first_invalid_seq: 6 })
  })

  test('is not shown after it expired', async () => {
    await expireFirst(4, 60)
    expect((await listAll()).map(({ seq }) => seq)).toEqual([9, 8, 7, 6, 5])
    const first = await list({ limit: '3' })
    const last = await list({ limit: '3', cursor: first.body.next_cursor })
    expect([first.body.data.length, last.body.data.length, last.body.next_cursor]).toEqual([3, 2, null])
    expect(await listAll({ action: 'organization.created' })).toEqual([])
  })

  test.each(['not yet deleted', 'deleted'])(
    'is valid with nothing to check once all of it has expired: %s',
    async (state) => {
      const rows = chain()
      const start = Date.now()
      if (state === 'deleted') for (const row of rows) await deleteRow(row)
      vi.useFakeTimers({ toFake: ['Date'], now: start + 366 * dayMs })
      expect((await list()).body).toEqual({ data: [], next_cursor: null })
      expect(await verify()).toMatchObject({
        valid: true,
        checked: 0,
        from_seq: null,
        to_seq: null,
        head: { seq: 9, hash: at(rows, 9).hash },
        next_cursor: null,
      })
      await makeKey(org, { name: 'a year later' })
      expect(await verify()).toMatchObject({ valid: true, checked: 1, from_seq: 10 })
    },
  )

  test('an event never expires before the previous one, even if the retention changed meanwhile', async () => {
    for (const retention_days of [3650, 30]) {
      await putRow({ ...(await headRow()), retention_days })
      await makeKey(org, { name: `kept for ${retention_days} days` })
    }
    const expiries = (await eventRows()).map(({ expires_at_epoch }) => expires_at_epoch as number)
    const days = (expiries.at(-1) ?? 0) - Date.now() / 1000
    expect(Math.round(days / 86_400)).toBe(3650)
    expect(expiries).toEqual([...expiries].sort((a, b) => a - b))
  })

  test('keeps each event for the 365 days that are the default', async () => {
    for (const row of chain()) {
      const keptDays = ((row.expires_at_epoch as number) * 1000 - Date.parse(row.timestamp as string)) / dayMs
      expect(keptDays).toBeGreaterThan(364.99)
      expect(keptDays).toBeLessThan(365.01)
    }
  })
})

describe('listing events', () => {
  withOrgOfItsOwn()

  test('newest first, page by page, each once', async () => {
    await chainOf(10)
    for (const limit of ['1', '4', '10', '100']) {
      expect((await listAll({ limit })).map(({ seq }) => seq)).toEqual([10, 9, 8, 7, 6, 5, 4, 3, 2, 1])
    }
    const { body } = await list({ limit: '10' })
    expect(body.next_cursor).toBeNull()
  })

  test('those of an action, of an actor, on a resource, and of all three', async () => {
    const { id, api_key } = await makeKey(org, { scopes: ['keys:write', 'keys:read'] })
    const made = await invoke('api-keys/create', { token: api_key, body: { name: 'x', scopes: ['keys:read'] } })
    await invoke('api-keys/revoke', { token: api_key, params: { key_id: made.body.id } })
    await invoke('api-keys/rotate', { token: org.adminKey, params: { key_id: id } })
    const all = await listAll()
    const byHand = {
      action: all.filter(({ action }) => action === 'api_key.created'),
      actor_id: all.filter(({ actor }) => actor.id === id),
      resource_id: all.filter(({ resource }) => resource.id === made.body.id),
    }
    const query = { action: 'api_key.created', actor_id: id, resource_id: made.body.id }
    for (const name of ['action', 'actor_id', 'resource_id'] as const) {
      expect(byHand[name].length).toBeGreaterThan(1)
      expect(await listAll({ [name]: query[name] })).toEqual(byHand[name])
    }
    const both = await listAll(query)
    expect(both).toHaveLength(1)
    expect(both[0]).toMatchObject({ action: 'api_key.created', actor: { id }, resource: { id: made.body.id } })
    expect(await listAll({ actor_id: 'nobody' })).toEqual([])
  })

  test('those from an instant on, and those before one', async () => {
    const start = Date.now() + 60_000
    vi.useFakeTimers({ toFake: ['Date'], now: start })
    for (let second = 0; second < 5; second++) {
      vi.setSystemTime(start + second * 1000)
      await makeKey(org, { name: `second ${second}` })
    }
    const instant = (ms: number) => new Date(start + ms).toISOString()
    const first = (await eventRows()).length - 4
    const seqs = async (query: Record<string, string>) => (await listAll(query)).map(({ seq }) => seq - first).reverse()
    expect(await seqs({ from: instant(2000) })).toEqual([2, 3, 4])
    expect(await seqs({ from: instant(2001) })).toEqual([3, 4])
    expect(await seqs({ from: instant(0), to: instant(2000) })).toEqual([0, 1])
    expect(await seqs({ from: instant(0), to: instant(2001) })).toEqual([0, 1, 2])
    expect(await seqs({ from: instant(1000), to: instant(1001), action: 'api_key.created' })).toEqual([1])
    expect(await seqs({ from: instant(10_000) })).toEqual([])
    const offset = instant(2000).replace('Z', '+00:00')
    expect(await seqs({ from: offset })).toEqual([2, 3, 4])
    const { body } = await list({ from: instant(0), to: instant(4000), limit: '2' })
    expect(body.data).toHaveLength(2)
    expectProblem(await list({ from: instant(0), to: instant(3000), cursor: body.next_cursor }), 'invalid_input')
  })

  test('those of the last year that can be named, and of none beyond it', async () => {
    const all = await listAll()
    for (const to of ['9999-12-31T23:59:59Z', '9999-12-31T23:59:59-01:00']) {
      const response = await list({ to, limit: '100' })
      expect([200, 400]).toContain(response.status)
      if (response.status === 200) expect(response.body.data).toHaveLength(all.length)
    }
    for (const from of ['9999-12-31T23:59:59Z', '9999-12-31T23:59:59-01:00']) {
      const response = await list({ from })
      expect([200, 400]).toContain(response.status)
      if (response.status === 200) expect(response.body.data).toEqual([])
    }
  })

  test.each([
    [{ from: '2026-01-02T00:00:00Z', to: '2026-01-01T00:00:00Z' }, 'to'],
    [{ from: '2026-01-01T00:00:00Z', to: '2026-01-01T00:00:00Z' }, 'to'],
    [{ from: '2026-01-01T01:00:00+01:00', to: '2026-01-01T00:00:00Z' }, 'to'],
    [{ from: 'yesterday' }, 'from'],
    [{ from: '2026-01-01' }, 'from'],
    [{ to: '' }, 'to'],
    [{ action: 'api_key.eaten' }, 'action'],
    [{ action: '' }, 'action'],
    [{ actor_id: '' }, 'actor_id'],
    [{ resource_id: '' }, 'resource_id'],
    [{ resource_id: 'x'.repeat(256) }, 'resource_id'],
    [{ cursor: 'garbage' }, 'cursor'],
    [{ limit: '101' }, 'limit'],
  ])('%j is 400 and named', async (query, field) => {
    const response = await list(query as Record<string, string>)
    expectProblem(response, 'invalid_input')
    expect(faultPaths(response)).toEqual([field])
  })

  test('of its own org alone', async () => {
    const other = await makeBusyOrg()
    const { body } = await list({ limit: '100' }, other.adminKey)
    const mine = new Set((await listAll()).map(({ id }) => id))
    expect(body.data.length).toBeGreaterThan(0)
    expect(body.data.filter(({ id }: Event) => mine.has(id))).toEqual([])
  })
})
