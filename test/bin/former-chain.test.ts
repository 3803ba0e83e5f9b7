/** Events of the former chain are moved once, in order, and only if their chain is whole. */
import { beforeEach, expect, test, vi } from 'vitest'
import { carryOver } from '../../bin/former-chain.ts'
import { orgsToSeal } from '../../bin/orgs-to-seal.ts'
import { sealOrg } from '../../shared/trail/seal.ts'
import { interceptTable } from '../support/faults.ts'
import { type FormerChain, formerChain } from '../support/former-chain.ts'
import { invoke } from '../support/invoke.ts'
import { makeBusyOrg, type TestOrg } from '../support/orgs.ts'
import { deleteRow, putRow, putRows, rowsOf } from '../support/rows.ts'

const count = 95
let org: TestOrg
let chain: FormerChain
beforeEach(async () => {
  vi.useRealTimers()
  org = await makeBusyOrg()
  chain = formerChain(org.orgId, count, new Date())
  await putRows([...chain.events, chain.head])
})

const move = (acceptsBroken = false) => carryOver(org.orgId, acceptsBroken, new Date())

async function served(): Promise<string[]> {
  const ids: string[] = []
  let cursor: string | null = null
  do {
    const query: Record<string, string> = { action: 'org_settings.updated', ...(cursor ? { cursor } : {}) }
    const { body } = await invoke('audit-events/list', { token: org.adminKey, query })
    ids.push(...body.data.map(({ request_id }) => request_id))
    cursor = body.next_cursor
  } while (cursor)
  return ids.reverse()
}

const verify = async () => (await invoke('audit-events/verify', { token: org.adminKey })).body
const inOrder = Array.from({ length: count }, (_, index) => `former-${index + 1}`)

test('all events of a whole chain are served, sealed and verified after the move', async () => {
  expect(await orgsToSeal()).toContain(org.orgId)
  expect(await move()).toBe(count)
  await sealOrg(org.orgId, new Date())
  expect(await served()).toEqual(inOrder)
  expect(await rowsOf(org.orgId, 'AUDIT#')).toEqual([])
  expect(await verify()).toMatchObject({ valid: true, first_invalid: null, unsealed: { count: 0 } })
  expect(await orgsToSeal()).not.toContain(org.orgId)
})

test('a second run moves nothing, and seals nothing', async () => {
  await move()
  await sealOrg(org.orgId, new Date())
  expect(await move()).toBe(0)
  expect(await sealOrg(org.orgId, new Date())).toBe(0)
  expect(await served()).toEqual(inOrder)
})

test('a run that ends after any of its transactions is completed by the next run', async () => {
  for (const steps of [0, 1, 1]) {
    let done = 0
    const cut = interceptTable(async ({ command }, send) => {
      if (command !== 'TransactWriteItemsCommand') return send()
      if (done++ === steps) throw new Error('a fault of the test')
      return send()
    }, move)
    await expect(cut).rejects.toThrow('a fault of the test')
  }
  await move()
  await sealOrg(org.orgId, new Date())
  expect(await served()).toEqual(inOrder)
  expect(await verify()).toMatchObject({ valid: true })
})

test('a changed event stops the move before it, and names it; accepted, it is moved as it is', async () => {
  const changed = { ...chain.events[60], changes: [] } as FormerChain['head']
  await putRow(changed)
  await expect(move()).rejects.toThrow(/broken at event 61 \(aud_\w+\)/)
  expect((await rowsOf(org.orgId, 'AUDIT#'))[0]).toMatchObject({ seq: 41 })
  expect(await move(true)).toBe(count - 40)
  expect(await served()).toEqual(inOrder)
})

test('a removed event stops the move at the next one', async () => {
  await deleteRow(chain.events[10] as FormerChain['head'])
  await expect(move()).rejects.toThrow(/broken at event 12 /)
})

test('a chain without its last events is moved, and said to end before its head', async () => {
  await deleteRow(chain.events.at(-1) as FormerChain['head'])
  await expect(move()).rejects.toThrow(`ends at event ${count - 1}, before its head ${count}`)
})

test('events that have expired are left to expire', async () => {
  const old = { ...chain.events[0], expires_at_epoch: 1 } as FormerChain['head']
  await putRow(old)
  expect(await move()).toBe(count - 1)
})
