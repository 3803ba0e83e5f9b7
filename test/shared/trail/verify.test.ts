/** Verification finds every change, removal, addition and cut-off of a row of the trail. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { hashOf } from '../../../shared/audit/event.ts'
import { hashOfBlock } from '../../../shared/trail/blocks.ts'
import { signIfDue } from '../../../shared/trail/checkpoints.ts'
import { ChainCutError, sealEvents, sealOrg } from '../../../shared/trail/seal.ts'
import { invoke } from '../../support/invoke.ts'
import { makeBusyOrg, makeKey, type TestOrg } from '../../support/orgs.ts'
import { expectProblem } from '../../support/problems.ts'
import { deleteRow, putRow, rowsOf, type StoredRow } from '../../support/rows.ts'

const dayMs = 86_400_000

let org: TestOrg
afterEach(() => {
  vi.useRealTimers()
})

const seal = async () => {
  await sealOrg(org.orgId, new Date())
  await signIfDue(org.orgId, new Date())
}

/** Adds blocks of two events each. */
async function addBlocks(count: number): Promise<void> {
  for (let block = 0; block < count; block++) {
    await makeKey(org)
    await makeKey(org)
    await seal()
  }
}

/** The verdict on the whole trail, page by page. */
async function verify(limit = 3) {
  let checked = 0
  let unsealed = 0
  let cursor: string | null = null
  for (;;) {
    const query: Record<string, string> = { limit: String(limit), ...(cursor ? { cursor } : {}) }
    const { status, body, text } = await invoke('audit-events/verify', { token: org.adminKey, query })
    expect(status, text).toBe(200)
    expect(body.valid).toBe(body.first_invalid === null)
    checked += body.events_checked
    unsealed += body.unsealed.count
    cursor = body.next_cursor
    if (!body.valid || cursor === null) return { ...body, checked, unsealed: { ...body.unsealed, count: unsealed } }
  }
}

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
async function change(prefix: string, index: number, changed: object): Promise<StoredRow> {
  const row = await nth(prefix, index)
  await putRow({ ...row, ...changed })
  return row
}

describe('a sealed trail', () => {
  beforeEach(async () => {
    org = await makeBusyOrg()
    await seal()
    await addBlocks(4)
  })

  test('is valid, in one page and in many', async () => {
    const events = (await rows('EVENT#')).length
    const head = { block: 5, hash: (await nth('BLOCK#', -1)).hash }
    for (const limit of [1, 2, 5, 1000]) {
      const verdict = await verify(limit)
      expect(verdict).toMatchObject({ valid: true, checked: events, head })
    }
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

  test.each([
    ['the actor', { actor: { type: 'user', id: 'other' } }],
    ['the action', { action: 'api_key.revoked' }],
    ['the result', { result: 'denied' }],
    ['the time', { timestamp: '2020-01-01T00:00:00.000Z' }],
    ['the changes', { changes: [] }],
    ['the address', { ip: '192.0.2.1' }],
    ['the hash', { hash: 'f'.repeat(64) }],
    ['the id', { id: 'aud_01m8cmr6ek492dwc5vzsars1cf' }],
    ['the resource, by an added field', { resource: { type: 'api_key', id: 'key_x', name: 'y', more: 1 } }],
  ])('with %s of an event changed is invalid there', async (_what, changed) => {
    const { id, sealed } = await change('EVENT#', 5, changed)
    await expectFault({ block: sealed, event_id: id, reason: 'changed' })
  })

  test('with an event rewritten and its hash computed again is invalid there', async () => {
    const { pk, sk, expires_at_epoch, sealed, hash: _hash, ...content } = await nth('EVENT#', 5)
    const forged = { ...content, ip: '192.0.2.1' }
    await putRow({ pk, sk, expires_at_epoch, sealed, ...forged, hash: hashOf(forged) })
    await expectFault({ block: sealed, event_id: content.id, reason: 'changed' })
  })

  test('with an event and its block rewritten is invalid at the next block', async () => {
    const { pk, sk, expires_at_epoch, sealed, hash: _hash, ...content } = await nth('EVENT#', 5)
    const forged = { ...content, ip: '192.0.2.1' }
    await putRow({ pk, sk, expires_at_epoch, sealed, ...forged, hash: hashOf(forged) })
    const {
      pk: blockPk,
      sk: blockSk,
      expires_at_epoch: expiry,
      previous_expiry_epoch,
      ...block
    } = await nth('BLOCK#', Number(sealed) - 1)
    const events = (block.events as { id: string }[]).map((each) =>
      each.id === content.id ? { id: each.id, hash: hashOf(forged) } : each,
    )
    const again = { org_id: org.orgId, ...block, events } as unknown as Parameters<typeof hashOfBlock>[0]
    const { org_id: _org, ...stored } = { ...again, hash: hashOfBlock(again) }
    await putRow({ pk: blockPk, sk: blockSk, expires_at_epoch: expiry, previous_expiry_epoch, ...stored })
    await expectFault({ block: Number(sealed) + 1, reason: 'broken_link' })
  })

  test.each([0, 4, -1])('without event %i is invalid there', async (index) => {
    const row = await nth('EVENT#', index)
    await deleteRow(row)
    await expectFault({ block: row.sealed, event_id: row.id, reason: 'missing' })
  })

  test.each([1, 3])('without block %i is invalid there', async (number) => {
    await deleteRow(await nth('BLOCK#', number - 1))
    await expectFault({ block: number, event_id: null, reason: 'missing' })
  })

  test('without its oldest blocks and their events is invalid before the first one kept', async () => {
    for (const row of (await rows('BLOCK#')).slice(0, 2)) await deleteRow(row)
    for (const row of (await rows('EVENT#')).filter(({ sealed }) => Number(sealed) <= 2)) await deleteRow(row)
    await expectFault({ block: 2, event_id: null, reason: 'missing' })
  })

  test('without its newest blocks and their events is invalid after the last one kept', async () => {
    for (const row of (await rows('BLOCK#')).slice(-2)) await deleteRow(row)
    for (const row of (await rows('EVENT#')).filter(({ sealed }) => Number(sealed) > 3)) await deleteRow(row)
    await expectFault({ block: 4, event_id: null, reason: 'missing' })
    await makeKey(org)
    await expect(seal()).rejects.toThrow(ChainCutError)
  })

  test('cut off before its newest checkpoint is invalid, even without the head', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 2 * 3_600_000 })
    await addBlocks(1)
    expect((await rows('CHECKPOINT#')).map(({ block }) => block)).toEqual([1, 6])
    for (const row of [...(await rows('BLOCKHEAD')), ...(await rows('BLOCK#')).slice(-2)]) await deleteRow(row)
    for (const row of (await rows('EVENT#')).filter(({ sealed }) => Number(sealed) > 4)) await deleteRow(row)
    await expectFault({ block: 5, reason: 'missing' })
  })

  test.each([
    ['its number', { number: 7 }, 'missing'],
    ['its link', { previous_hash: 'f'.repeat(64) }, 'broken_link'],
    ['its time', { sealed_at: '2020-01-01T00:00:00.000Z' }, 'changed'],
    ['its events', { events: [] }, 'changed'],
    ['its hash', { hash: 'f'.repeat(64) }, 'changed'],
  ])('with %s of a block changed is invalid there', async (_what, changed, reason) => {
    await change('BLOCK#', 2, changed)
    await expectFault({ block: 3, reason })
  })

  test.each([
    ['hash', { hash: 'f'.repeat(64) }],
    ['time', { at: '2020-01-01T00:00:00.000Z' }],
    ['key', { kid: 'other' }],
    ['signature', { signature: Buffer.from('forged').toString('base64') }],
  ])('with the %s of a checkpoint changed is invalid at its block', async (_what, changed) => {
    await change('CHECKPOINT#', 0, changed)
    await expectFault({ block: 1, reason: 'changed' })
  })

  test('with an event that names a block which does not hold it is invalid', async () => {
    const { id: _id, ...row } = await nth('EVENT#', 3)
    const id = 'aud_01m8cmr6ek492dwc5vzsars1cf'
    await putRow({ ...row, id, sk: `EVENT#${id}` } as unknown as StoredRow)
    await expectFault({ block: null, event_id: id, reason: 'unsealed' })
  })

  test('with an event that names another block is invalid as a duplicate', async () => {
    const row = await change('EVENT#', 5, { sealed: 1 })
    await expectFault({ block: row.sealed, event_id: row.id, reason: 'duplicate' })
  })

  test('with a number taken from an event is invalid', async () => {
    const { sealed, ...row } = await nth('EVENT#', 5)
    await putRow(row as unknown as StoredRow)
    await expectFault({ block: sealed, event_id: row.id, reason: 'changed' })
  })

  test('refuses a cursor of another organization', async () => {
    const { body } = await invoke('audit-events/verify', { token: org.adminKey, query: { limit: '1' } })
    const other = await makeBusyOrg()
    const query = { limit: '1', cursor: body.next_cursor ?? '' }
    expectProblem(await invoke('audit-events/verify', { token: other.adminKey, query }), 'invalid_input')
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
