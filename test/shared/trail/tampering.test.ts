/** Verification finds each change behind the service's back. */
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { newEventId } from '../../../shared/ids.ts'
import { ChainCutError } from '../../../shared/trail/seal.ts'
import { seal } from '../../support/governance.ts'
import { invoke } from '../../support/invoke.ts'
import { makeBusyOrg, makeKey, type TestOrg } from '../../support/orgs.ts'
import { expectProblem } from '../../support/problems.ts'
import { deleteRow, putRow, type StoredRow } from '../../support/rows.ts'
import { addBlocks, hashOfBlockRow, hashOfEvent, restore, trailRows, verifyAll } from '../../support/trail-rows.ts'

let org: TestOrg
let rows: StoredRow[]

beforeAll(async () => {
  org = await makeBusyOrg()
  // The first block holds the events of the org and its three keys.
  await addBlocks(org, [1, 2, 2, 3])
  await makeKey(org, { name: 'unsealed' })
  rows = await trailRows(org)
})
afterEach(() => restore(org, rows))

const digits = (number: number) => String(number).padStart(12, '0')
function one(matches: (row: StoredRow) => boolean): StoredRow {
  const row = rows.find(matches)
  if (!row) throw new Error('there is no such row')
  return row
}
const blockRow = (number: number) => one(({ sk }) => sk === `BLOCK#${digits(number)}`)
const head = () => one(({ sk }) => sk === 'BLOCKHEAD')
const checkpoint = () => one(({ sk }) => sk.startsWith('CHECKPOINT#'))
const eventsIn = (block: number | undefined) =>
  rows.filter(({ sk, sealed }) => sk.startsWith('EVENT#') && sealed === block)
const eventIn = (block: number | undefined) => eventsIn(block)[0] as StoredRow
const idOf = (row: StoredRow) => row.sk.slice('EVENT#'.length)

async function expectFault(fault: object): Promise<void> {
  for (const limit of [1, 4, 1000]) {
    expect(await verifyAll(org, limit), `limit ${limit}`).toMatchObject({ valid: false, first_invalid: fault })
  }
}

test('an intact trail is valid in pages of any size', async () => {
  const events = rows.filter(({ sk, sealed }) => sk.startsWith('EVENT#') && sealed !== undefined).length
  for (const limit of [1, 2, 3, 4, 7, 1000]) {
    expect(await verifyAll(org, limit)).toMatchObject({
      valid: true,
      from_block: 1,
      to_block: limit === 1000 ? 4 : expect.toBeOneOf([4, null]),
      events_checked: events,
      head: { block: 4, hash: blockRow(4).hash },
      unsealed: { count: 1, oldest_at: eventIn(undefined).timestamp },
    })
  }
})

const eventChanges: [string, object][] = [
  ['the actor', { actor: { type: 'user', id: 'another' } }],
  ['the action', { action: 'api_key.revoked' }],
  ['the result', { result: 'denied' }],
  ['the time', { timestamp: new Date().toISOString() }],
  ['the changes', { changes: [] }],
  ['the request', { request_id: 'another' }],
  ['the address', { ip: '192.0.2.1' }],
  ['the user agent', { user_agent: 'another' }],
  ['the hash', { hash: 'f'.repeat(64) }],
  ['the id', { id: 'aud_01jd3v7k3q9x5m2n8r4t6w0y1z' }],
  ['the resource, by an added field', { resource: { type: 'api_key', id: 'key_x', name: 'y', more: 1 } }],
]

describe('an event', () => {
  test.each([...eventChanges, ['the expiry', { expires_at_epoch: 4_000_000_000 }] as [string, object]])(
    'in a block, with another value of %s',
    async (_what, change) => {
      await putRow({ ...eventIn(2), ...change })
      await expectFault({ block: 2, event_id: idOf(eventIn(2)), reason: 'changed' })
    },
  )

  test.each(eventChanges)('without a block, with another value of %s', async (_what, change) => {
    await putRow({ ...eventIn(undefined), ...change })
    await expectFault({ block: null, event_id: idOf(eventIn(undefined)), reason: 'changed' })
  })

  test.each([1, 2, 4])('removed from block %i', async (block) => {
    await deleteRow(eventIn(block))
    await expectFault({ block, event_id: idOf(eventIn(block)), reason: 'missing' })
  })

  test('marked as expired', async () => {
    await putRow({ ...eventIn(3), expires_at_epoch: 1 })
    await expectFault({ block: 3, event_id: idOf(eventIn(3)), reason: 'missing' })
  })

  test('rewritten with its own hash', async () => {
    const { pk, sk, expires_at_epoch, ...event } = { ...eventIn(3), ip: '192.0.2.1' } as StoredRow
    await putRow({ pk, sk, expires_at_epoch, ...event, hash: hashOfEvent(event) })
    await expectFault({ block: 3, event_id: idOf(eventIn(3)), reason: 'changed' })
  })

  test('moved to another block', async () => {
    await putRow({ ...eventIn(2), sealed: 3 })
    await expectFault({ block: 2, event_id: idOf(eventIn(2)), reason: 'duplicate' })
  })

  test('without its number', async () => {
    const { sealed: _sealed, ...open } = eventIn(2)
    await putRow(open as StoredRow)
    await expectFault({ block: 2, event_id: idOf(eventIn(2)), reason: 'changed' })
  })

  /** An event that has a correct hash and is in no block. */
  function added(at: Date, sealed: number | undefined): StoredRow {
    const { sk: _sk, expires_at_epoch: _expiry, sealed: _sealed, pk, ...content } = eventIn(2)
    const event = { ...content, id: newEventId(at), timestamp: at.toISOString() }
    return { ...event, pk, sk: `EVENT#${event.id}`, hash: hashOfEvent(event), ...(sealed ? { sealed } : {}) }
  }

  test.each([1, 3, 5])('added with the number %i', async (number) => {
    const row = added(new Date(), number)
    await putRow(row)
    await expectFault({ block: null, event_id: idOf(row), reason: 'unsealed' })
  })

  test('added without a number: a fault after 5 minutes', async () => {
    const young = added(new Date(Date.now() - 4 * 60_000), undefined)
    await putRow(young)
    expect(await verifyAll(org)).toMatchObject({ valid: true, unsealed: { count: 2, oldest_at: young.timestamp } })
    const old = added(new Date(Date.now() - 6 * 60_000), undefined)
    await putRow(old)
    await expectFault({ block: null, event_id: idOf(old), reason: 'unsealed' })
  })
})

describe('a block', () => {
  test.each([
    ['the time', { sealed_at: '2020-01-01T00:00:00.000Z' }, 'changed'],
    ['the events', { events: [] }, 'changed'],
    ['the hash', { hash: 'f'.repeat(64) }, 'changed'],
    ['the link', { previous_hash: 'f'.repeat(64) }, 'broken_link'],
    ['the number', { number: 7 }, 'missing'],
    ['the expiry', { expires_at_epoch: 4_000_000_000 }, 'changed'],
  ])('with another value of %s', async (_what, change, reason) => {
    await putRow({ ...blockRow(2), ...change })
    await expectFault({ block: 2, reason })
  })

  test.each([1, 2, 3])('%i removed', async (number) => {
    await deleteRow(blockRow(number))
    await expectFault({ block: number, reason: 'missing' })
  })

  test('1 marked as expired: its events are in no block', async () => {
    await putRow({ ...blockRow(1), expires_at_epoch: 1 })
    expect(await verifyAll(org)).toMatchObject({ valid: false })
  })

  test('rewritten with its own hash', async () => {
    const block = { ...blockRow(2), sealed_at: '2020-01-01T00:00:00.000Z' } as StoredRow
    await putRow({ ...block, hash: hashOfBlockRow(block) })
    await expectFault({ block: 3, reason: 'broken_link' })
  })

  test('with an event of another block, rewritten to the end of the chain', async () => {
    const stolen = (blockRow(2).events as object[])[0]
    const taking = { ...blockRow(4), events: [...(blockRow(4).events as object[]), stolen] } as StoredRow
    const hash = hashOfBlockRow(taking)
    await putRow({ ...taking, hash })
    await putRow({ ...head(), hash })
    await expectFault({ block: 4, event_id: idOf(eventIn(2)), reason: 'duplicate' })
  })

  test('rewritten with all that follow, but signed before', async () => {
    const block = { ...blockRow(1), sealed_at: '2020-01-01T00:00:00.000Z' } as StoredRow
    let previous = hashOfBlockRow(block)
    await putRow({ ...block, hash: previous })
    for (const number of [2, 3, 4]) {
      const next = { ...blockRow(number), previous_hash: previous } as StoredRow
      previous = hashOfBlockRow(next)
      await putRow({ ...next, hash: previous })
    }
    await putRow({ ...head(), hash: previous })
    await expectFault({ block: 1, reason: 'changed' })
  })

  test('the newest ones cut off with their events: the sealer adds nothing to the chain', async () => {
    for (const number of [3, 4]) for (const row of [blockRow(number), ...eventsIn(number)]) await deleteRow(row)
    await expectFault({ block: 3, event_id: null, reason: 'missing' })
    await expect(seal(org)).rejects.toThrow(ChainCutError)
  })

  test('the oldest ones cut off with their events', async () => {
    for (const number of [1, 2]) for (const row of [blockRow(number), ...eventsIn(number)]) await deleteRow(row)
    await expectFault({ block: 2, event_id: null, reason: 'missing' })
  })

  test('all of them removed with their events', async () => {
    for (const row of rows) if (row.sk !== 'BLOCKHEAD') await deleteRow(row)
    await expectFault({ block: 1, reason: 'missing' })
  })
})

describe('the head', () => {
  test.each([
    ['the hash', { hash: 'f'.repeat(64) }],
    ['the time', { sealed_at: '2020-01-01T00:00:00.000Z' }],
    ['the expiry', { block_expiry_epoch: 1 }],
  ])('with another value of %s', async (_what, change) => {
    await putRow({ ...head(), ...change })
    await expectFault({ block: 4, reason: 'changed' })
  })

  test.each([
    ['moved on', 5, { block: 5, reason: 'missing' }],
    ['set back', 2, { block: 2, reason: 'changed' }],
  ])('%s', async (_what, number, fault) => {
    await putRow({ ...head(), number })
    await expectFault(fault)
  })

  test('removed', async () => {
    await deleteRow(head())
    await expectFault({ block: 4, reason: 'changed' })
  })
})

describe('a checkpoint', () => {
  test.each([
    ['the hash', { hash: 'f'.repeat(64) }],
    ['the time', { at: '2020-01-01T00:00:00.000Z' }],
    ['the key', { kid: 'another' }],
    ['the signature', { signature: Buffer.from('another').toString('base64') }],
  ])('with another value of %s', async (_what, change) => {
    await putRow({ ...checkpoint(), ...change })
    await expectFault({ block: 1, reason: 'changed' })
  })

  test('removed', async () => {
    await deleteRow(checkpoint())
    await expectFault({ block: 1, reason: 'missing' })
  })

  test('added for a block that is signed by no key', async () => {
    const { hash } = blockRow(3)
    await putRow({ ...checkpoint(), sk: `CHECKPOINT#${digits(3)}`, block: 3, hash })
    await expectFault({ block: 3, reason: 'changed' })
  })

  test('added for a block after the newest', async () => {
    await putRow({ ...checkpoint(), sk: `CHECKPOINT#${digits(9)}`, block: 9 })
    await expectFault({ block: 5, reason: 'missing' })
  })
})

test('a retired key that is changed no longer vouches', async () => {
  const [{ kid, ...current }] = (await invoke('meta/audit-key')).body.keys as unknown as [{ kid: string }]
  await putRow({ pk: 'AUDITKEYS', sk: 'KID#retired', jwk: { ...current, kid: 'retired' } })
  await putRow({ ...checkpoint(), kid: 'retired' })
  expect(await verifyAll(org)).toMatchObject({ valid: true })
  const other = 'axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY'
  await putRow({
    pk: 'AUDITKEYS',
    sk: 'KID#retired',
    jwk: { ...current, x: other, y: 'T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU', kid: 'retired' },
  })
  await expectFault({ block: 1, reason: 'changed' })
  await deleteRow({ pk: 'AUDITKEYS', sk: 'KID#retired' })
  await expectFault({ block: 1, reason: 'changed' })
  expect(kid).toMatch(/^[\w-]{43}$/)
})

test('a cursor of another org is refused', async () => {
  const other = await makeBusyOrg()
  await seal(other)
  const first = await invoke('audit-events/verify', { token: org.adminKey, query: { limit: '1' } })
  const query = { limit: '1', cursor: String(first.body.next_cursor) }
  expectProblem(await invoke('audit-events/verify', { token: other.adminKey, query }), 'invalid_input')
  expect((await invoke('audit-events/verify', { token: org.adminKey, query })).status).toBe(200)
})
