/**
 * Schedules of sealers on one org, on the real engine. A seed decides which table call goes next, which one is repeated, and
 * before or after which one a sealer dies.
 */
import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import type { StreamRecord } from '../../shared/runtime/table-stream.ts'
import { commit } from '../../shared/storage/commit.ts'
import { hashOfBlock, toBlock } from '../../shared/trail/blocks.ts'
import { sealEvents, sealOrg } from '../../shared/trail/seal.ts'
import { sealRecords } from '../../shared/trail/seal-records.ts'
import { verifyTrail } from '../../shared/trail/verify.ts'
import { interceptTable } from '../support/faults.ts'
import { rowsOf } from '../support/rows.ts'

/** mulberry32 */
export function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

class DeathError extends Error {}

/** One run of a writer or a sealer. It dies at its `diesAt`-th table call. */
interface Process {
  schedule: Schedule
  calls: number
  diesAt: number
  diesBefore: boolean
  isDead: boolean
}

const current = new AsyncLocalStorage<Process>()

/** Runs `run` while the table calls of all processes wait for their schedule. */
export const withSchedules = <T>(run: () => Promise<T>): Promise<T> =>
  interceptTable(async ({ command }, send) => {
    const process = current.getStore()
    if (!process) return send()
    await process.schedule.turn()
    if (process.isDead) throw new DeathError()
    const isLast = ++process.calls === process.diesAt
    if (isLast) process.isDead = true
    if (isLast && process.diesBefore) throw new DeathError()
    const result = await send()
    if (process.isDead) throw new DeathError()
    // The client sends a call again when its answer is lost.
    const isWrite = command === 'PutItemCommand' || command === 'UpdateItemCommand'
    return isWrite && process.schedule.random() < 0.1 ? send() : result
  }, run)

class Schedule {
  readonly random: () => number
  readonly #waiting: (() => void)[] = []
  #isOpen = false

  constructor(seed: number) {
    this.random = randomOf(seed)
  }

  /** Waits until the seed chooses this call. */
  turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      if (!this.#isOpen) this.#openSoon()
    })
  }

  /** Lets calls gather, so that there is something to choose from. */
  #openSoon(): void {
    this.#isOpen = true
    setImmediate(() => {
      this.#isOpen = false
      const [next] = this.#waiting.splice(Math.floor(this.random() * this.#waiting.length), 1)
      next?.()
      if (this.#waiting.length > 0) this.#openSoon()
    })
  }

  /** Some number below `end`. */
  below = (end: number): number => Math.floor(this.random() * end)
}

const record = (orgId: string, id: string): StreamRecord => ({
  dynamodb: { Keys: { pk: { S: `ORG#${orgId}` }, sk: { S: `EVENT#${id}` } }, SequenceNumber: id },
})

async function writeEvent(orgId: string, index: number): Promise<string> {
  const context = {
    orgId,
    actor: { type: 'system', id: 'sim' },
    now: new Date(),
    requestId: `request-${index}`,
  } as const
  const resource = { type: 'organization', id: orgId } as const
  const action = 'organization.created' as const
  const change = { action, resource, result: 'success' as const, diff: [], writes: [] }
  const { id } = await commit(change, context, new Date(Date.now() + 20_000))
  return id
}

/** Runs the schedule of a seed, repairs its org, and checks the chain. */
export async function simulate(seed: number): Promise<void> {
  const schedule = new Schedule(seed)
  const orgId = `org_sim_${seed}`
  const events: string[] = []
  const start = (run: () => Promise<unknown>) => {
    const diesAt = schedule.random() < 0.5 ? 1 + schedule.below(12) : 0
    const diesBefore = schedule.random() < 0.5
    return current.run({ schedule, calls: 0, diesAt, diesBefore, isDead: false }, run).catch((error: unknown) => {
      if (!(error instanceof DeathError)) throw error
    })
  }
  /** The records of some events, in any order, some of them twice. */
  const someRecords = () =>
    [...events, ...events]
      .filter(() => schedule.random() < 0.7)
      .sort(() => schedule.random() - 0.5)
      .map((id) => record(orgId, id))
  const rounds = 1 + schedule.below(2)
  for (let round = 0; round < rounds; round++) {
    const written = 1 + schedule.below(3)
    for (let index = 0; index < written; index++) events.push(await writeEvent(orgId, index))
    const sealers = 1 + schedule.below(3)
    await Promise.all(
      Array.from({ length: sealers }, () => {
        const records = someRecords()
        const ids = records.map(({ dynamodb }) => dynamodb?.SequenceNumber ?? '')
        // The signature takes most of the time; few schedules need it.
        return start(() => (seed % 10 === 0 ? sealRecords(records) : sealEvents(orgId, ids, new Date())))
      }),
    )
  }
  await sealOrg(orgId, new Date())
  await expectChain(orgId, events)
}

async function expectChain(orgId: string, written: readonly string[]): Promise<void> {
  const blocks = (await rowsOf(orgId, 'BLOCK#')).map((row) => toBlock(orgId, row).block)
  deepStrictEqual(
    blocks.map(({ number }) => number),
    blocks.map((_block, index) => index + 1),
    'the numbers of the blocks have a gap',
  )
  let previous = '0'.repeat(64)
  for (const block of blocks) {
    strictEqual(block.previous_hash, previous, `block ${block.number} does not follow the one before`)
    strictEqual(hashOfBlock(block), block.hash)
    previous = block.hash
  }
  const members = blocks.flatMap(({ number, events }) => events.map(({ id }) => [id, number] as const))
  deepStrictEqual(members.map(([id]) => id).sort(), [...written].sort(), 'not each event is in exactly one block')
  const numbers = new Map(members)
  for (const { id, sealed } of await rowsOf(orgId, 'EVENT#')) {
    strictEqual(sealed, numbers.get(String(id)), `${id} has the number of another block`)
  }
  const [head] = await rowsOf(orgId, 'BLOCKHEAD')
  deepStrictEqual([head?.number, head?.hash], [blocks.length, previous], 'the head is not the newest block')
  const verdict = await verifyTrail(orgId, { limit: 1000, after: undefined, now: new Date() })
  ok(verdict.valid && verdict.next === undefined, JSON.stringify(verdict.first_invalid))
}

/** Runs many seeds, some at a time. */
export async function simulateSeeds(first: number, count: number, atOnce = 20): Promise<void> {
  const end = first + count
  let next = first
  const work = async () => {
    while (next < end) {
      const seed = next++
      await simulate(seed).catch((cause: unknown) => {
        next = end
        throw new Error(`seed ${seed}: ${cause instanceof Error ? cause.message : cause}`, { cause })
      })
    }
  }
  await withSchedules(() => Promise.all(Array.from({ length: atOnce }, work)))
}
