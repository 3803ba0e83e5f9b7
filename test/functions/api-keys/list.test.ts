import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { seal } from '../../support/governance.ts'
import { invoke } from '../../support/invoke.ts'
import { makeBusyOrg, makeKey, type TestOrg, tokenFor } from '../../support/orgs.ts'
import { expectProblem, faultPaths } from '../../support/problems.ts'
import { putRows, rowsOf } from '../../support/rows.ts'

interface Key {
  id: string
  name: string
  key_type: string
  state: string
  environment: string
  created_at: string
}

const operations = ['api-keys/create', 'api-keys/create-app-key', 'api-keys/create-publishable-key'] as const

let org: TestOrg
/** The ids of 120 keys of every kind, oldest first. */
const made: string[] = []

beforeAll(async () => {
  org = await makeBusyOrg()
  for (let index = 0; index < 120; index++) {
    const operation = operations[index % 3] ?? 'api-keys/create'
    const key = await makeKey(org, { name: `key ${index}`, environment: index % 2 ? 'test' : 'live' }, operation)
    made.push(key.id)
  }
  const change = (name: 'api-keys/revoke' | 'api-keys/rotate', index: number, body: object) =>
    invoke(name, { token: org.adminKey, params: { key_id: made[index] ?? '' }, body })
  for (const index of [3, 50, 110]) await change('api-keys/revoke', index, {})
  for (const index of [7, 60]) await change('api-keys/rotate', index, { overlap_seconds: 3600 })
  for (const index of [8]) await change('api-keys/rotate', index, {})
  const expires_at = new Date(Date.now() + 60_000).toISOString()
  for (let count = 0; count < 2; count++) await makeKey(org, { name: 'short-lived', expires_at })
  const revoked = await makeKey(org, { name: 'revoked before it expired', expires_at })
  await invoke('api-keys/revoke', { token: org.adminKey, params: { key_id: revoked.id } })
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse(expires_at) })
})
afterAll(() => {
  vi.useRealTimers()
})

const list = (query: Record<string, string> = {}, token = org.adminKey) => invoke('api-keys/list', { token, query })

async function pages(query: Record<string, string> = {}): Promise<Key[][]> {
  const all: Key[][] = []
  let cursor: string | null = null
  do {
    const { status, body, text } = await list({ ...query, ...(cursor ? { cursor } : {}) })
    expect(status, text).toBe(200)
    expect(Object.keys(body)).toEqual(['data', 'next_cursor'])
    all.push(body.data)
    cursor = body.next_cursor
  } while (cursor !== null)
  return all
}
const everything = async (query: Record<string, string> = {}) => (await pages(query)).flat()

describe('listing keys', () => {
  test('answers 50 a page, newest first, all of them and none twice', async () => {
    const all = await pages()
    expect(all.slice(0, -1).map(({ length }) => length)).toEqual(Array(all.length - 1).fill(50))
    expect(all.at(-1)?.length).toBeGreaterThan(0)
    const keys = all.flat()
    const ids = keys.map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.filter((id) => made.includes(id))).toEqual([...made].reverse())
    const times = keys.map(({ created_at }) => created_at)
    expect(times).toEqual([...times].sort().reverse())
    const rows = await rowsOf(org.orgId, 'KEY#')
    expect(ids).toEqual(rows.map(({ id }) => id).reverse())
  })

  test.each([3, 42, 100])('pages of %i are full until the last, and no page is empty', async (limit) => {
    const wanted = (await everything()).map(({ id }) => id)
    const all = await pages({ limit: String(limit) })
    expect(all.flat().map(({ id }) => id)).toEqual(wanted)
    for (const page of all.slice(0, -1)) expect(page).toHaveLength(limit)
    expect(all.at(-1)?.length).toBe(wanted.length % limit || limit)
  })

  test('an entry is the record that a get answers', async () => {
    const { body } = await list({ limit: '20' })
    for (const entry of body.data.slice(0, 5)) {
      const got = await invoke('api-keys/get', { token: org.adminKey, params: { key_id: entry.id } })
      expect(entry).toEqual(got.body)
    }
  })

  test('an org without further keys sees its own only', async () => {
    const other = await makeBusyOrg()
    const { body } = await list({}, other.adminKey)
    expect(body.data.map(({ name }: Key) => name)).toEqual(['busy', 'reader', 'admin'])
    expect(body.next_cursor).toBeNull()
    for (const limit of ['1', '3']) {
      const first = await list({ limit }, other.adminKey)
      expect(first.body.data).toHaveLength(Number(limit))
      expect(first.body.next_cursor === null).toBe(limit === '3')
    }
  })

  const filters: [string, keyof Key, string[]][] = [
    ['key_type', 'key_type', ['org', 'app', 'publishable']],
    ['environment', 'environment', ['live', 'test']],
    ['state', 'state', ['active', 'retiring', 'revoked', 'expired']],
  ]

  test.each(filters)('the filter %s keeps just what matches, whatever the page', async (filter, field, values) => {
    const all = await everything()
    const found: Key[] = []
    for (const value of values) {
      const wanted = all.filter((key) => key[field] === value)
      expect(wanted.length, value).toBeGreaterThan(0)
      for (const limit of ['9', '100']) expect(await everything({ [filter]: value, limit })).toEqual(wanted)
      found.push(...wanted)
    }
    expect(found).toHaveLength(all.length)
  })

  test('filters are combined', async () => {
    const all = await everything()
    const wanted = all.filter((key) => key.key_type === 'org' && key.environment === 'live' && key.state === 'active')
    expect(wanted.length).toBeGreaterThan(0)
    expect(await everything({ key_type: 'org', environment: 'live', state: 'active', limit: '5' })).toEqual(wanted)
  })

  test('a filter finds a rare key behind any number of others', async () => {
    const other = await makeBusyOrg()
    const rare = await makeKey(other, { name: 'rare', environment: 'test' })
    const [row] = await rowsOf(other.orgId, `KEY#${rare.id}`)
    if (!row) throw new Error('the key has no row')
    const template = { ...row, environment: 'live' }
    await putRows(
      Array.from({ length: 600 }, (_, index) => {
        const id = `key_7zzzzzzzzz${String(index).padStart(16, '0')}`
        return { ...template, sk: `KEY#${id}`, id }
      }),
    )
    const found: string[] = []
    let cursor: string | null = null
    do {
      const query: Record<string, string> = { environment: 'test', limit: '10', ...(cursor ? { cursor } : {}) }
      const { body } = await list(query, other.adminKey)
      found.push(...body.data.map(({ name }: Key) => name))
      cursor = body.next_cursor
    } while (cursor !== null)
    expect(found).toEqual(['rare'])
  })

  test.each([
    ['key_type', 'root'],
    ['key_type', ''],
    ['state', 'dead'],
    ['state', 'Active'],
    ['environment', 'prod'],
    ['environment', 'live,test'],
    ['limit', '0'],
    ['limit', '101'],
    ['limit', '-1'],
    ['limit', '1.5'],
    ['limit', 'many'],
    ['limit', ''],
    ['page', '2'],
  ])('?%s=%s is 400 and named', async (name, value) => {
    const response = await list({ [name]: value })
    expectProblem(response, 'invalid_input')
    expect(faultPaths(response)).toEqual([name])
  })
})

describe('cursors of a list', () => {
  const firstCursor = async (query: Record<string, string> = {}, token = org.adminKey): Promise<string> => {
    const { body } = await list({ limit: '2', ...query }, token)
    expect(body.next_cursor).toEqual(expect.any(String))
    return body.next_cursor
  }
  const expectRefused = async (cursor: string, query: Record<string, string> = {}) => {
    const response = await list({ ...query, cursor })
    expectProblem(response, 'invalid_input')
    expect(faultPaths(response), cursor).toEqual(['cursor'])
  }

  test('one for the same filters in another order, or for another limit, goes on', async () => {
    const cursor = await firstCursor({ environment: 'live', key_type: 'org' })
    const { status } = await list({ key_type: 'org', cursor, limit: '7', environment: 'live' })
    expect(status).toBe(200)
  })

  test('one that was made for other filters is 400', async () => {
    const unfiltered = await firstCursor()
    const live = await firstCursor({ environment: 'live' })
    await expectRefused(unfiltered, { environment: 'live' })
    await expectRefused(live)
    await expectRefused(live, { environment: 'test' })
    await expectRefused(live, { environment: 'live', key_type: 'org' })
  })

  test('one of another org is 400', async () => {
    const other = await makeBusyOrg()
    await expectRefused(await firstCursor({}, other.adminKey))
  })

  test('one of another list is 400', async () => {
    const { body } = await invoke('audit-events/list', { token: org.adminKey, query: { limit: '1' } })
    await expectRefused(body.next_cursor)
    for (let block = 0; block < 2; block++) {
      await makeKey(org)
      await seal(org)
    }
    const verification = await invoke('audit-events/verify', { token: org.adminKey, query: { limit: '1' } })
    await expectRefused(verification.body.next_cursor)
  })

  test('it belongs to the org and not to who was given it', async () => {
    const cursor = await firstCursor()
    const member = await tokenFor(org.orgId, 'member')
    expect((await list({ cursor }, member)).status).toBe(200)
  })

  test('garbage is 400', async () => {
    const garbage = ['', ' ', 'garbage', 'null', '0', '=', '%', '\u0000', 'a'.repeat(2000), 'a'.repeat(3000)]
    for (const cursor of garbage) await expectRefused(cursor)
  })

  test('one that points anywhere but into the list is 400', async () => {
    const cursor = await firstCursor()
    const [digest = '', after = ''] = Buffer.from(cursor, 'base64url').toString().split(' ')
    expect(after).toMatch(/^KEY#key_/)
    const pointing = (to: string) => Buffer.from(`${digest} ${to}`).toString('base64url')
    expect(pointing(after)).toBe(cursor)
    for (const elsewhere of ['', 'ORG', 'BLOCKHEAD', 'EVENT#aud_0', 'KEX#', 'KEZ', '\uffff']) {
      await expectRefused(pointing(elsewhere))
    }
  })

  test('one whose position was tampered with is 400', async () => {
    const cursor = await firstCursor()
    const [digest = '', after = ''] = Buffer.from(cursor, 'base64url').toString().split(' ')
    for (const tampered of ['KEY#', 'KEY#key_', `${after}x`, after.slice(0, -1), `KEY#${'x'.repeat(1100)}`]) {
      await expectRefused(Buffer.from(`${digest} ${tampered}`).toString('base64url'))
    }
  })

  test('one with a changed digest is 400', async () => {
    const cursor = await firstCursor()
    for (let position = 0; position < 16; position++) {
      const other = cursor[position] === 'A' ? 'B' : 'A'
      await expectRefused(cursor.slice(0, position) + other + cursor.slice(position + 1))
    }
  })
})
