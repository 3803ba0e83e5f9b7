/** An organization has at most 1,000 usable keys, also after keys end, and under concurrent requests. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import { newId } from '../../../shared/ids.ts'
import { invoke } from '../../support/invoke.ts'
import { makeBusyOrg, makeKey, type TestOrg } from '../../support/orgs.ts'
import { expectProblem } from '../../support/problems.ts'
import { putRow, putRows, rowsOf, type StoredRow } from '../../support/rows.ts'

const maxUsable = 1000
/** The busy admin key, the admin key that made it, and the key that only reads. */
const ownKeys = 3

afterEach(() => {
  vi.useRealTimers()
})

const create = ({ adminKey }: TestOrg, body: object = {}) =>
  invoke('api-keys/create', { token: adminKey, body: { name: 'one more', scopes: ['keys:read'], ...body } })
const rotate = ({ adminKey }: TestOrg, key_id: string, body: object = {}) =>
  invoke('api-keys/rotate', { token: adminKey, params: { key_id }, body })
const revoke = ({ adminKey }: TestOrg, key_id: string) =>
  invoke('api-keys/revoke', { token: adminKey, params: { key_id } })

/** An org with so many usable keys; `fields` are those of the keys that it did not make itself. */
async function orgWith(usable: number, fields: object = {}): Promise<TestOrg> {
  const org = await makeBusyOrg()
  const [stored] = await rowsOf(org.orgId, 'KEY#')
  const copies = Array.from({ length: usable - ownKeys }, (): StoredRow => {
    const id = newId('key')
    return { ...(stored as StoredRow), ...fields, sk: `KEY#${id}`, id }
  })
  await putRows(copies)
  await putRow({ pk: `ORG#${org.orgId}`, sk: 'COUNT#KEY#', count: usable })
  return org
}

async function usableKeys({ orgId }: TestOrg): Promise<number> {
  const now = new Date().toISOString()
  const isOver = (instant: unknown) => instant !== null && String(instant) <= now
  const isUsable = (key: StoredRow) =>
    !isOver(key.expires_at) && (key.revoked_at === null || (key.retiring && !isOver(key.revoked_at)))
  return (await rowsOf(orgId, 'KEY#')).filter(isUsable).length
}

const expectFull = async (answer: ReturnType<typeof create>) => {
  const refused = await answer
  expectProblem(refused, 'conflict')
  expect(refused.body.detail).toMatch(/1000 usable API keys.*Revoke one/)
}

describe('an organization with 1,000 usable keys', () => {
  test('is refused another of any type, and has room again once one is revoked', async () => {
    const org = await orgWith(maxUsable - 1)
    const last = await create(org)
    expect(last.status).toBe(201)
    await expectFull(create(org))
    const more = { token: org.adminKey, body: { name: 'one more', app_id: 'app-1' } }
    await expectFull(invoke('api-keys/create-app-key', more))
    await expectFull(invoke('api-keys/create-publishable-key', { ...more, body: { name: 'one more' } }))
    expect(await usableKeys(org)).toBe(maxUsable)
    await revoke(org, last.body.id)
    await expectFull(create(org))
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 })
    expect((await create(org)).status).toBe(201)
    await expectFull(create(org))
  })

  test('can rotate a key at once, and not with an overlap, in which both would work', async () => {
    const org = await orgWith(maxUsable - 1)
    const { id } = await makeKey(org)
    await expectFull(rotate(org, id, { overlap_seconds: 60 }))
    const rotated = await rotate(org, id)
    expect(rotated.status).toBe(201)
    expect((await rotate(org, rotated.body.id)).status).toBe(201)
    await expectFull(create(org))
    expect(await usableKeys(org)).toBe(maxUsable)
  })

  test('has room again once keys have expired or their overlap has ended', async () => {
    const start = Date.now()
    const org = await orgWith(maxUsable - 2, { expires_at: new Date(start + 200_000).toISOString() })
    const { id } = await makeKey(org)
    expect((await rotate(org, id, { overlap_seconds: 30 })).status).toBe(201)
    await expectFull(create(org))
    vi.useFakeTimers({ toFake: ['Date'], now: start + 75_000 })
    expect((await create(org)).status).toBe(201)
    await expectFull(create(org))
    vi.setSystemTime(start + 201_000)
    for (let count = 0; count < 5; count++) expect((await create(org)).status).toBe(201)
  })
})

test('of 30 requests at once that find room for 10 keys exactly 10 succeed', async () => {
  const org = await orgWith(maxUsable - 10)
  const answers = await Promise.all(Array.from({ length: 30 }, () => create(org)))
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(10)
  expect(answers.filter(({ status }) => status === 409)).toHaveLength(20)
  expect(await usableKeys(org)).toBe(maxUsable)
})

test('a chain of rotations with overlaps adds no more usable keys than there is room for', async () => {
  const org = await orgWith(maxUsable - 6)
  let { id } = await makeKey(org)
  const statuses: number[] = []
  for (let count = 0; count < 8; count++) {
    const { status, body } = await rotate(org, id, { overlap_seconds: 86_400 })
    statuses.push(status)
    if (status === 201) id = body.id
  }
  expect(statuses).toEqual([...Array(5).fill(201), ...Array(3).fill(409)])
  expect(await usableKeys(org)).toBe(maxUsable)
})

test('revoking keys that were issued before there was a count makes no room for more than 1,000', async () => {
  const org = await orgWith(maxUsable)
  const seeded = (await rowsOf(org.orgId, 'KEY#')).slice(-5)
  for (const { id } of seeded) await revoke(org, String(id))
  for (let count = 0; count < 5; count++) expect((await create(org)).status).toBe(201)
  await expectFull(create(org))
  expect(await usableKeys(org)).toBe(maxUsable)
})
