/** Verification of trails that grow, expire and wait for the sealer; `tampering.test.ts` has the changed rows. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { sealEvents } from '../../../shared/trail/seal.ts'
import { seal as sealOf } from '../../support/governance.ts'
import { invoke } from '../../support/invoke.ts'
import { makeBusyOrg, makeKey, type TestOrg } from '../../support/orgs.ts'
import { deleteRow, putRow, rowsOf, type StoredRow } from '../../support/rows.ts'
import { addBlocks as addBlocksTo, verifyAll } from '../../support/trail-rows.ts'

const dayMs = 86_400_000

let org: TestOrg
afterEach(() => {
  vi.useRealTimers()
})

const seal = () => sealOf(org)
/** Adds blocks of two events each. */
const addBlocks = (count: number) => addBlocksTo(org, Array(count).fill(2))
const verify = (limit = 3) => verifyAll(org, limit)

const faultOf = async (limit?: number) => (await verify(limit)).first_invalid
async function expectFault(fault: object): Promise<void> {
  expect(await faultOf()).toMatchObject(fault)
  expect(await faultOf(1000)).toMatchObject(fault)
}

const rows = (prefix: string) => rowsOf(org.orgId, prefix)
async function nth(prefix: string, index: number): Promise<StoredRow> {
  const row = (await rows(prefix)).at(index)
  if (!row) throw new Error(`there is no row ${prefix} ${index}`)
  return row
}
describe('a sealed trail', () => {
  beforeEach(async () => {
    org = await makeBusyOrg()
    await seal()
    await addBlocks(4)
  })

  test('is valid, with its blocks, events and head counted', async () => {
    const events = (await rows('EVENT#')).length
    const head = { block: 5, hash: (await nth('BLOCK#', -1)).hash }
    const { body } = await invoke('audit-events/verify', { token: org.adminKey })
    expect(body).toEqual({
      valid: true,
      blocks_checked: 5,
      events_checked: events,
      from_block: 1,
      to_block: 5,
      head,
      unsealed: { count: 0, oldest_at: null },
      first_invalid: null,
      next_cursor: null,
    })
  })

  test('cut off before its newest checkpoint is invalid, even without the head', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 2 * 3_600_000 })
    await addBlocks(1)
    expect((await rows('CHECKPOINT#')).map(({ block }) => block)).toEqual([1, 6])
    for (const row of [...(await rows('BLOCKHEAD')), ...(await rows('BLOCK#')).slice(-2)]) await deleteRow(row)
    for (const row of (await rows('EVENT#')).filter(({ sealed }) => Number(sealed) > 4)) await deleteRow(row)
    await expectFault({ block: 5, reason: 'missing' })
  })
})

describe('events that are not sealed', () => {
  beforeEach(async () => {
    org = await makeBusyOrg()
  })

  test('are counted, and are a fault after five minutes', async () => {
    const [first] = await rows('EVENT#')
    const count = (await rows('EVENT#')).length
    expect(await verify()).toMatchObject({ valid: true, head: null, unsealed: { count, oldest_at: first?.timestamp } })
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 5 * 60_000 + 1000 })
    await expectFault({ block: null, event_id: first?.id, reason: 'unsealed' })
    await seal()
    expect(await verify()).toMatchObject({ valid: true, unsealed: { count: 0, oldest_at: null } })
  })

  test('are valid while a sealer is between the block and the numbers of its events', async () => {
    await seal()
    const head = await nth('BLOCKHEAD', 0)
    await makeKey(org)
    await seal()
    for (const row of (await rows('EVENT#')).filter(({ sealed }) => sealed === 2)) {
      const { sealed: _sealed, expires_at_epoch: _expiry, ...open } = row
      await putRow(open as unknown as StoredRow)
    }
    await putRow(head)
    expect(await verify()).toMatchObject({ valid: true, unsealed: { count: 1 } })
    await seal()
    expect(await verify()).toMatchObject({ valid: true, unsealed: { count: 0 }, head: { block: 2 } })
  })
})

describe('a trail whose oldest blocks have expired', () => {
  /** Blocks a day apart, with the retention of 30 days, and a checkpoint each. */
  async function agedTrail(): Promise<void> {
    const start = Date.now()
    vi.useFakeTimers({ toFake: ['Date'], now: start })
    org = await makeBusyOrg()
    await invoke('org-settings/update', { token: org.adminKey, body: { audit_retention_days: 30 } })
    await seal()
    for (const day of [1, 2, 29]) {
      vi.setSystemTime(start + day * dayMs)
      await makeKey(org)
      await seal()
    }
    vi.setSystemTime(start + 31.5 * dayMs)
  }

  test.each(['kept by the table', 'deleted'])(
    'is valid from the oldest one kept, with expired rows %s',
    async (state) => {
      await agedTrail()
      const isExpired = ({ expires_at_epoch }: StoredRow) => Number(expires_at_epoch) <= Date.now() / 1000
      const expired = [...(await rows('BLOCK#')), ...(await rows('EVENT#'))].filter(isExpired)
      expect(expired.length).toBeGreaterThan(2)
      if (state === 'deleted') for (const row of expired) await deleteRow(row)
      const { body } = await invoke('audit-events/verify', { token: org.adminKey })
      expect(body).toMatchObject({ valid: true, from_block: 3, to_block: 4, unsealed: { count: 0 } })
    },
  )

  test('is invalid when no checkpoint vouches for the oldest one kept', async () => {
    await agedTrail()
    for (const row of (await rows('CHECKPOINT#')).filter(({ block }) => Number(block) >= 2)) await deleteRow(row)
    await expectFault({ block: 3, reason: 'broken_link' })
  })

  test('goes on from the head after every block has expired', async () => {
    await agedTrail()
    vi.setSystemTime(Date.now() + 100 * dayMs)
    for (const row of [...(await rows('BLOCK#')), ...(await rows('EVENT#'))]) await deleteRow(row)
    expect(await verify()).toMatchObject({ valid: true, head: null })
    await makeKey(org)
    await seal()
    const { body } = await invoke('audit-events/verify', { token: org.adminKey })
    expect(body).toMatchObject({ valid: true, from_block: 5, to_block: 5, head: { block: 5 } })
  })

  test('drops each block with its events, and no block before the one it follows', async () => {
    org = await makeBusyOrg()
    const start = Date.now()
    vi.useFakeTimers({ toFake: ['Date'], now: start })
    await seal()
    await invoke('org-settings/update', { token: org.adminKey, body: { audit_retention_days: 30 } })
    await seal()
    const blocks = await rows('BLOCK#')
    expect(blocks[1]?.expires_at_epoch).toBe(blocks[0]?.expires_at_epoch)
    for (const row of await rows('EVENT#')) {
      expect(row.expires_at_epoch).toBe(blocks[Number(row.sealed) - 1]?.expires_at_epoch)
    }
  })
})

describe('sealing', () => {
  beforeEach(async () => {
    org = await makeBusyOrg()
  })

  test('puts at most 100 events in a block, by time, and none twice', async () => {
    await Promise.all(Array.from({ length: 130 }, () => makeKey(org)))
    const ids = (await rows('EVENT#')).map(({ id }) => String(id))
    expect(await sealEvents(org.orgId, [...ids, ...ids].reverse(), new Date())).toBe(ids.length)
    expect(await sealEvents(org.orgId, ids, new Date())).toBe(0)
    const blocks = (await rows('BLOCK#')).map(({ events }) => (events as { id: string }[]).map(({ id }) => id))
    expect(blocks.map(({ length }) => length)).toEqual([100, ids.length - 100])
    expect(blocks.flat()).toEqual(ids)
  })

  test('ignores events that are not stored', async () => {
    expect(await sealEvents(org.orgId, ['aud_01m8cmr6ek492dwc5vzsars1cf'], new Date())).toBe(0)
    expect(await rows('BLOCK#')).toEqual([])
  })

  test('signs the first block, then only a block that is unsigned for an hour', async () => {
    const start = Date.now()
    vi.useFakeTimers({ toFake: ['Date'], now: start })
    const signed = async () => (await rows('CHECKPOINT#')).map(({ block }) => block)
    await seal()
    await addBlocks(2)
    expect(await signed()).toEqual([1])
    vi.setSystemTime(start + 61 * 60_000)
    await addBlocks(1)
    expect(await signed()).toEqual([1, 4])
    await addBlocks(1)
    expect(await signed()).toEqual([1, 4])
  })
})

test('a block that follows only expired ones is signed at once, and the trail is valid', async () => {
  const start = Date.now()
  vi.useFakeTimers({ toFake: ['Date'], now: start })
  org = await makeBusyOrg()
  await seal()
  vi.setSystemTime(start + 500 * dayMs)
  await makeKey(org)
  await seal()
  expect((await rows('CHECKPOINT#')).map(({ block }) => block)).toEqual([1, 2])
  expect(await verify()).toMatchObject({ valid: true, head: { block: 2 } })
})
