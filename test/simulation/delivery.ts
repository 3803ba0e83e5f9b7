/**
 * Stories of deliveries: routers and senders that die at any wait, repeated records and messages, faults of table, queue and
 * receivers, and integrations that are edited meanwhile. A day of retries takes no time here.
 */
import { ok, strictEqual } from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { SendMessageCommand } from '@aws-sdk/client-sqs'
import { sendDeliveries } from '../../functions/integrations/contract.ts'
import { toDelivery } from '../../shared/delivery/delivery.ts'
import type { DeliveredEvent } from '../../shared/delivery/event.ts'
import { type DeliveryMessage, sqs } from '../../shared/delivery/queue.ts'
import { onDeliveries } from '../../shared/delivery/receive.ts'
import { routeRecords } from '../../shared/delivery/route.ts'
import type { Sent, send } from '../../shared/delivery/send.ts'
import type { IntegrationRecord } from '../../shared/integrations/record.ts'
import { commit } from '../../shared/storage/commit.ts'
import { table, wireTable } from '../../shared/table/client.ts'
import { fromRow, type Row } from '../../shared/table/rows.ts'
import { ModelTable } from './model-table.ts'
import { takeClock, World } from './world.ts'

const orgs = ['org_a', 'org_b'] as const
const lifeMs = 30_000
const visibilityMs = 60_000

interface Message {
  id: string
  body: string
  visibleAtMs: number
}

class Story {
  readonly world: World
  readonly table: ModelTable
  readonly messages = new Map<string, Message>()
  readonly letters: DeliveryMessage[] = []
  /** Successful sends: `integration event`. */
  readonly arrived = new Set<string>()
  /** Share of the sends that a receiver accepts, by integration. */
  readonly health = new Map<string, number>()
  readonly receive: ReturnType<typeof onDeliveries>
  /** A queue may be late. In most stories it is, since each turn of 15 minutes takes time to tell. */
  readonly #lateness: number

  constructor(seed: number) {
    this.world = new World(seed)
    this.#lateness = this.world.pick([1, 8, 8, 40, 40, 40])
    this.table = new ModelTable(this.world, (before, after) => this.#onWrite(before, after))
    this.table.install(table(), wireTable())
    Object.assign(sqs(), { send: (command: unknown) => this.#queue(command) })
    this.receive = onDeliveries(sendDeliveries, this.#send)
  }

  /** The table's stream: inserts of event rows, some of them twice, until the router has read them. */
  #onWrite(before: object | undefined, after: Record<string, unknown>): void {
    if (before || !String(after.sk).startsWith('EVENT#')) return
    this.#route(after as Row)
    if (this.world.chance(0.2)) this.#route(after as Row)
  }

  #route({ pk, sk }: Row, delayMs = this.world.between(1, 300)): void {
    const record = { dynamodb: { Keys: { pk: { S: pk }, sk: { S: sk } }, SequenceNumber: sk } }
    this.world.schedule(delayMs, () => {
      void this.world
        .spawn('router', lifeMs, () => routeRecords([record]))
        .then((outcome) => {
          if (outcome.ended !== 'well' || outcome.value.length > 0) this.#route({ pk, sk }, 1000)
        })
    })
  }

  async #queue(command: unknown): Promise<object> {
    const { world } = this
    await world.pause(world.latencyMs())
    if (world.chance(world.roughness.tableFault)) throw new Error('a fault of the queue')
    if (command instanceof SendMessageCommand) {
      const { QueueUrl = '', MessageBody = '', DelaySeconds = 0 } = command.input
      ok(DelaySeconds >= 0 && DelaySeconds <= 900, `SQS refuses a delay of ${DelaySeconds} s`)
      if (QueueUrl.endsWith('letters')) this.letters.push(JSON.parse(MessageBody) as DeliveryMessage)
      else
        this.#add(
          { id: randomUUID(), body: MessageBody, visibleAtMs: world.nowMs },
          DelaySeconds * this.#lateness * 1000,
        )
    }
    if (world.chance(world.roughness.tableFault)) throw new Error('the answer of the queue is lost')
    return {}
  }

  #add(message: Message, delayMs: number): void {
    this.messages.set(message.id, message)
    this.#hide(message, delayMs)
  }

  #hide(message: Message, ms: number): void {
    message.visibleAtMs = this.world.nowMs + ms
    this.world.schedule(ms, () => this.#deliver(message))
  }

  #deliver(message: Message): void {
    const { world } = this
    if (!this.messages.has(message.id) || message.visibleAtMs > world.nowMs) return
    this.#hide(message, visibilityMs)
    this.#run(message)
    if (world.chance(0.1)) this.#run(message)
  }

  #run({ id, body }: Message): void {
    const run = () => this.receive({ Records: [{ messageId: id, body }] }, {})
    void this.world.spawn('sender', lifeMs, run).then((outcome) => {
      if (outcome.ended === 'well' && outcome.value.batchItemFailures.length === 0) this.messages.delete(id)
    })
  }

  readonly #send: typeof send = async (orgId, integration, event: DeliveredEvent): Promise<Sent> => {
    const { world } = this
    strictEqual(this.table.rows.has(`ORG#${orgId} EVENT#${event.id}`), true, 'an event of another organization is sent')
    await world.pause(world.chance(0.1) ? world.between(5000, 15_000) : world.between(1, 300))
    const isAccepted = world.chance(this.health.get(integration.id) ?? 1)
    if (isAccepted) this.arrived.add(`${integration.id} ${event.id}`)
    // The answer to an accepted request can be lost.
    await world.pause(world.latencyMs())
    const status_code = isAccepted ? 200 : world.chance(0.02) ? 410 : 500
    return { at: new Date().toISOString(), status_code, latency_ms: 1, error: isAccepted ? null : 'refused' }
  }
}

/** Runs the story of a seed, and checks its end. */
export async function simulateDelivery(seed: number, listener?: (line: string) => void): Promise<void> {
  const story = new Story(seed)
  const { world } = story
  const restore = takeClock(world)
  try {
    world.roughness = { death: 0.01, stall: 0.002, stripeFault: 0, tableFault: 0.02 }
    const all = orgs.flatMap((orgId) => Array.from({ length: world.between(1, 2) }, () => addIntegration(story, orgId)))
    for (let index = world.between(1, 4); index > 0; index--) {
      const orgId = world.pick(orgs)
      world.schedule(world.between(0, 60_000), () => world.act('writer', () => writeEvent(orgId)))
    }
    const edited = world.chance(0.3) ? world.pick(all) : undefined
    world.listener = listener
    if (edited) world.schedule(world.between(0, 20_000), () => edit(story, edited))
    // The rough time ends after two days: each message then has an end.
    world.schedule(2 * 86_400_000, () => world.calmDown())
    await world.untilIdle()
    check(story, edited)
  } finally {
    restore()
  }
}

function addIntegration({ world, table: { rows }, health }: Story, orgId: string): IntegrationRecord & Row {
  const id = `int_${orgId}_${rows.size}`
  const key = { pk: `ORG#${orgId}`, sk: `INT#${id}` }
  const times = { created_at: '2026-01-01T00:00:00.000Z', updated_at: '2026-01-01T00:00:00.000Z' }
  const integration: IntegrationRecord = {
    ...{ id, type: 'slack', name: id, enabled: true, version: 1, ...times },
    config: { webhook_url: { masked: '…' } },
    event_types: ['*'],
  }
  rows.set(`${key.pk} ${key.sk}`, { ...key, ...integration })
  health.set(id, world.pick([1, 1, 0.7, 0.3, 0]))
  return { ...key, ...integration }
}

/** A caller disables or deletes an integration. */
function edit({ world, table: { rows } }: Story, { pk, sk }: Row): void {
  const row = rows.get(`${pk} ${sk}`)
  if (world.chance(0.5) || !row) rows.delete(`${pk} ${sk}`)
  else rows.set(`${pk} ${sk}`, { ...row, enabled: false, version: Number(row.version) + 1 })
}

async function writeEvent(orgId: string): Promise<void> {
  const actor = { type: 'system', id: 'simulation' } as const
  const resource = { type: 'organization', id: orgId } as const
  const kind = { action: 'organization.created', result: 'success' } as const
  const change = { ...kind, resource, diff: [], writes: [] }
  for (;;) {
    try {
      await commit(change, { orgId, actor, now: new Date(), requestId: 'r' }, new Date(Date.now() + 20_000))
      return
    } catch {
      // A fault of the table: the caller tries again.
    }
  }
}

function check({ table: { rows }, arrived, letters, messages }: Story, edited: Row | undefined): void {
  strictEqual(messages.size, 0, 'a message stays in the queue')
  const all = [...rows.values()] as Row[]
  const deliveries = all.filter(({ sk }) => sk.startsWith('DELIVERY#')).map(toDelivery)
  for (const { id, integration_id, event_id, status, step } of deliveries) {
    ok(status !== 'pending', `${id} is pending at the end`)
    ok(step <= 9, `${id} has ${step} attempts of the schedule`)
    if (status === 'delivered') ok(arrived.has(`${integration_id} ${event_id}`), `${id} did not arrive`)
    const isDeleted = !all.some(({ sk }) => sk === `INT#${integration_id}`)
    if (status === 'failed' && !isDeleted)
      ok(
        letters.some(({ delivery_id }) => delivery_id === id),
        `${id} is not in the dead-letter queue`,
      )
  }
  const known = new Set(deliveries.map(({ integration_id, event_id }) => `${integration_id} ${event_id}`))
  for (const event of all.filter(({ sk }) => sk.startsWith('EVENT#'))) {
    const receivers = all.filter(({ pk, sk }) => pk === event.pk && sk.startsWith('INT#'))
    for (const integration of receivers) {
      if (integration.sk === edited?.sk || fromRow<IntegrationRecord>(integration).enabled === false) continue
      ok(known.has(`${integration.id} ${event.id}`), `${event.id} has no delivery to ${integration.id}`)
    }
  }
}
