/**
 * Stories of one org's trail: writers and sealers that die at any wait, over a table that fails and loses answers. The records
 * of the stream come late, twice, in pieces and in any order, to several sealers at once; some never come.
 */
import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict'
import { createSign, generateKeyPairSync } from 'node:crypto'
import { GetPublicKeyCommand, type SignCommand } from '@aws-sdk/client-kms'
import type { StreamRecord } from '../../shared/runtime/table-stream.ts'
import { kms } from '../../shared/secrets/kms.ts'
import { commit } from '../../shared/storage/commit.ts'
import { table, wireTable } from '../../shared/table/client.ts'
import type { Row } from '../../shared/table/rows.ts'
import { hashOfBlock, toBlock } from '../../shared/trail/blocks.ts'
import { sealOrg } from '../../shared/trail/seal.ts'
import { sealRecords } from '../../shared/trail/seal-records.ts'
import { type Verification, verifyTrail } from '../../shared/trail/verify.ts'
import { ModelTable } from './model-table.ts'
import { takeClock, World } from './world.ts'

const orgId = 'org_sim'
const lifeMs = 30_000
const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })

class Story {
  readonly world: World
  readonly #table: ModelTable
  /** Event rows that no successful sealer was given yet. */
  #pending: Row[] = []

  constructor(seed: number, roughness: number) {
    this.world = new World(seed)
    this.world.roughness = {
      death: 0.03 * roughness,
      stall: 0.005 * roughness,
      stripeFault: 0,
      tableFault: 0.03 * roughness,
    }
    this.#table = new ModelTable(this.world, (before, after) => this.#onWrite(before as Row | undefined, after as Row))
    this.#table.install(table(), wireTable())
    Object.assign(kms(), { send: (command: unknown) => this.#signed(command) })
  }

  rows = (prefix: string): Row[] =>
    ([...this.#table.rows.values()] as Row[])
      .filter(({ pk, sk }) => pk === `ORG#${orgId}` && sk.startsWith(prefix))
      .sort((a, b) => (a.sk < b.sk ? -1 : 1))

  #onWrite(before: Row | undefined, after: Row): void {
    if (before) expectForward(before, after)
    if (before || !after.sk.startsWith('EVENT#') || this.world.chance(0.03)) return
    this.#pending.push(after)
    this.#deliverSoon()
    if (this.world.chance(0.3)) this.#deliverSoon()
  }

  #deliverSoon(): void {
    this.world.schedule(this.world.pick([0, this.world.between(1, 60), this.world.between(1, 3000)]), () =>
      this.#deliver(),
    )
  }

  /** Some pending records, and some that were delivered before. What a sealer does not confirm comes again. */
  #deliver(): void {
    const { world } = this
    const chosen = this.#pending.filter(() => world.chance(0.7))
    const again = this.rows('EVENT#').filter(() => world.chance(0.1))
    const batch = [...chosen, ...again, ...chosen.filter(() => world.chance(0.1))].sort(() => world.random() - 0.5)
    const run = () => sealRecords(batch.map(recordOf))
    void world.spawn('sealer', lifeMs, run).then((outcome) => {
      const failed = outcome.ended === 'well' ? new Set(outcome.value.map(sortKeyOf)) : undefined
      const sealed = chosen.filter(({ sk }) => failed && !failed.has(sk))
      this.#pending = this.#pending.filter((row) => !sealed.includes(row))
      if (this.#pending.length > 0) this.#deliverSoon()
    })
  }

  async #signed(command: unknown): Promise<object> {
    await this.world.pause(this.world.latencyMs())
    if (this.world.chance(this.world.roughness.tableFault)) throw new Error('a fault of KMS')
    if (command instanceof GetPublicKeyCommand)
      return { PublicKey: keys.publicKey.export({ format: 'der', type: 'spki' }) }
    const { Message = new Uint8Array() } = (command as SignCommand).input
    return { Signature: createSign('sha256').update(Message).sign(keys.privateKey) }
  }
}

/** What is sealed stays as it is, and the head moves forward only. */
function expectForward(before: Row, after: Row): void {
  if (before.sk.startsWith('BLOCK#')) deepStrictEqual(after, before, 'a block is stored twice')
  if (before.sealed !== undefined) deepStrictEqual(after, before, 'a sealed event changes')
  if (before.sk === 'BLOCKHEAD') ok(Number(after.number) >= Number(before.number), 'the head moves back')
}

const recordOf = ({ pk, sk }: Row): StreamRecord => ({
  dynamodb: { Keys: { pk: { S: pk }, sk: { S: sk } }, SequenceNumber: sk },
})
const sortKeyOf = ({ dynamodb }: StreamRecord): string => dynamodb?.Keys?.sk?.S ?? ''

function writeEvent(index: number): Promise<unknown> {
  const context = {
    orgId,
    actor: { type: 'system', id: 'sim' },
    now: new Date(),
    requestId: `request-${index}`,
  } as const
  const change = {
    ...({ action: 'organization.created', result: 'success' } as const),
    ...{ resource: { type: 'organization', id: orgId } as const, diff: [], writes: [] },
  }
  return commit(change, context, new Date(Date.now() + 20_000))
}

/** Tells the story of a seed, repairs its org, and checks the chain. Returns how many events were sealed. */
export async function simulateSealer(seed: number, listener?: (line: string) => void): Promise<{ events: number }> {
  const story = new Story(seed, seed % 4)
  const { world } = story
  world.listener = listener
  const restore = takeClock(world)
  try {
    const written = world.between(1, 12)
    const lastsMs = world.pick([5, 500, 30_000, 3 * 3_600_000])
    for (let index = 0; index < written; index++) {
      world.schedule(world.between(0, lastsMs), () => void world.spawn('writer', lifeMs, () => writeEvent(index)))
    }
    if (world.chance(0.3)) {
      world.schedule(
        world.between(0, lastsMs),
        () => void world.spawn('repair', lifeMs, () => sealOrg(orgId, new Date())),
      )
    }
    await world.untilIdle()
    world.calmDown()
    let verdict: (Verification & { next: string | undefined }) | undefined
    world.act('repair', async () => {
      await sealOrg(orgId, new Date())
      verdict = await verifyTrail(orgId, { limit: 1000, after: undefined, now: new Date() })
    })
    await world.untilIdle()
    expectChain(story)
    ok(verdict?.valid && verdict.next === undefined, JSON.stringify(verdict?.first_invalid))
    return { events: story.rows('EVENT#').length }
  } finally {
    restore()
  }
}

function expectChain(story: Story): void {
  const blocks = story.rows('BLOCK#').map((row) => toBlock(orgId, row).block)
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
  const events = story.rows('EVENT#')
  const members = blocks.flatMap(({ number, events }) => events.map(({ id }) => [id, number] as const))
  deepStrictEqual(
    members.map(([id]) => `EVENT#${id}`).sort(),
    events.map(({ sk }) => sk),
    'not each event is in exactly one block',
  )
  const numbers = new Map(members)
  for (const { id, sealed } of events) {
    strictEqual(sealed, numbers.get(String(id)), `${id} has the number of another block`)
  }
  const [head] = story.rows('BLOCKHEAD')
  deepStrictEqual(
    [head?.number ?? 0, head?.hash ?? previous],
    [blocks.length, previous],
    'the head is not the newest block',
  )
}
