/**
 * A model of DynamoDB for this service, in memory and in the world's time: conditions, transactions, and lost or late requests
 * and responses.
 */
import {
  type AttributeValue,
  BatchGetItemCommand,
  ConditionalCheckFailedException,
  type DynamoDBClient,
  GetItemCommand,
  InternalServerError,
  QueryCommand,
  TransactionCanceledException,
} from '@aws-sdk/client-dynamodb'
import { type DynamoDBDocumentClient, PutCommand, TransactWriteCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb'
import { copied } from './copied.ts'
import { type Bindings, holds, type Item, updated } from './expressions.ts'
import type { Process, World } from './world.ts'

interface KeyedWrite extends Bindings {
  Key?: Item
  Item?: Item
  ConditionExpression?: string
  UpdateExpression?: string
  ReturnValues?: string
  ReturnValuesOnConditionCheckFailure?: string
}
type Kind = 'Put' | 'Update' | 'Delete' | 'ConditionCheck'

/** Called for every written row, with its writer. */
export type Watcher = (before: Item | undefined, after: Item, writer: Process | undefined) => void

type WireItem = Record<string, AttributeValue>

const wireForms = new WeakMap<Item, WireItem>()

/** A stored row in DynamoDB's own terms. No row changes once it is stored, so each is translated once. */
function wireOf(row: Item): WireItem {
  const known = wireForms.get(row)
  if (known) return known
  const made: WireItem = marshall(row, { removeUndefinedValues: true, convertClassInstanceToMap: true })
  wireForms.set(row, made)
  return made
}

export class ModelTable {
  readonly rows = new Map<string, Item>()
  readonly #world: World
  readonly #watch: Watcher
  #sender: Process | undefined

  constructor(world: World, watch: Watcher) {
    this.#world = world
    this.#watch = watch
  }

  /** Takes the place of `send` of both clients: that of documents, for writes, and that of DynamoDB's own terms, for reads. */
  install(documents: DynamoDBDocumentClient, wire: DynamoDBClient): void {
    const send = (command: unknown) => this.#send(command)
    Object.assign(documents, { send })
    Object.assign(wire, { send })
  }

  /** Sends a request. It is served even if its sender is dead by then, and its response may be lost. */
  async #send(command: unknown): Promise<unknown> {
    const world = this.#world
    const sender = world.process
    const answer = new Promise<() => unknown>((resolve) => {
      world.schedule(world.latencyMs(), () => {
        this.#sender = sender
        resolve(this.#served(command))
      })
    })
    const open = await answer
    await world.pause(world.latencyMs())
    return open()
  }

  #served(command: unknown): () => unknown {
    const { chance, roughness } = this.#world
    const fault = () => {
      throw new InternalServerError({ message: 'a fault of the story', $metadata: {} })
    }
    if (chance(roughness.tableFault)) return fault
    const lost = chance(roughness.tableFault)
    const first = this.#attempt(command)
    if (!lost) return first
    // The SDK sends a request again when its answer was lost. A transaction carries a token and happens once.
    if (command instanceof TransactWriteCommand) return first
    return chance(0.5) ? this.#attempt(command) : fault
  }

  #attempt(command: unknown): () => unknown {
    try {
      const result = this.#run(command)
      if (this.#world.listener) this.#world.note(told(command), this.#sender)
      return () => result
    } catch (error) {
      if (this.#world.listener) this.#world.note(`${told(command)}: ${error}`, this.#sender)
      return () => {
        throw error
      }
    }
  }

  #run(command: unknown): unknown {
    if (command instanceof GetItemCommand) return { Item: this.#wireRow(command.input.Key) }
    if (command instanceof BatchGetItemCommand) return this.#batchGet(command)
    if (command instanceof QueryCommand) return this.#query(command)
    if (command instanceof UpdateCommand) return this.#update(command.input as KeyedWrite)
    if (command instanceof PutCommand) return this.#write('Put', command.input as KeyedWrite)
    if (command instanceof TransactWriteCommand) return this.#transact(command)
    throw new Error(`this model does not know the command ${(command as object).constructor.name}`)
  }

  #wireRow(key: WireItem | undefined): WireItem | undefined {
    const row = this.rows.get(`${key?.pk?.S} ${key?.sk?.S}`)
    return row && wireOf(row)
  }

  #batchGet({ input }: BatchGetItemCommand) {
    const found = Object.entries(input.RequestItems ?? {}).map(([name, { Keys = [] }]) => {
      const rows = Keys.map((key) => this.#wireRow(key)).filter((row) => row !== undefined)
      return [name, rows] as const
    })
    return { Responses: Object.fromEntries(found) }
  }

  #query({ input }: QueryCommand) {
    const values = input.ExpressionAttributeValues ?? {}
    const [pk, from, to] = [':pk', ':from', ':to'].map((name) => String(values[name]?.S)) as [string, string, string]
    const start = input.ExclusiveStartKey?.sk?.S
    const found = [...this.rows.values()]
      .filter((row) => row.pk === pk && String(row.sk) >= from && String(row.sk) <= to)
      .sort((a, b) => (String(a.sk) < String(b.sk) ? -1 : 1))
    if (input.ScanIndexForward === false) found.reverse()
    const rest = found.filter(({ sk }) =>
      start === undefined ? true : input.ScanIndexForward === false ? String(sk) < start : String(sk) > start,
    )
    const page = rest.slice(0, input.Limit)
    const bindings = { ...input, ExpressionAttributeValues: unmarshall(values) }
    const last = page.at(-1)
    return {
      // As in DynamoDB, the limit counts the rows that the filter drops.
      Items: page.filter((row) => holds(input.FilterExpression, row, bindings)).map(wireOf),
      ...(page.length < rest.length && last ? { LastEvaluatedKey: wireOf({ pk: last.pk, sk: last.sk }) } : {}),
    }
  }

  #update(input: KeyedWrite): object {
    this.#write('Update', input)
    const row = this.rows.get(keyOf(input.Key ?? {}))
    return input.ReturnValues === undefined ? {} : { Attributes: copied(row) }
  }

  #write(kind: Kind, write: KeyedWrite): void {
    if (!this.#allows(write)) {
      const row = this.rows.get(keyOf(write.Key ?? write.Item ?? {}))
      const old = row && write.ReturnValuesOnConditionCheckFailure ? { Item: wireOf(row) } : {}
      throw new ConditionalCheckFailedException({ message: 'condition', $metadata: {}, ...old })
    }
    this.#apply(kind, write)
  }

  #transact({ input }: TransactWriteCommand): object {
    const { chance, roughness } = this.#world
    const writes = (input.TransactItems ?? []).flatMap((item) => Object.entries(item) as [Kind, KeyedWrite][])
    const conflict = chance(roughness.tableFault)
    const reasons = writes.map(([, write]) => {
      if (conflict) return { Code: 'TransactionConflict' }
      if (this.#allows(write)) return { Code: 'None' }
      const row = this.rows.get(keyOf(write.Key ?? write.Item ?? {}))
      return { Code: 'ConditionalCheckFailed', ...(row ? { Item: wireOf(row) } : {}) }
    })
    if (reasons.some(({ Code }) => Code !== 'None')) {
      throw new TransactionCanceledException({ message: 'canceled', CancellationReasons: reasons, $metadata: {} })
    }
    for (const [kind, write] of writes) this.#apply(kind, write)
    return {}
  }

  #allows(write: KeyedWrite): boolean {
    return holds(write.ConditionExpression, this.rows.get(keyOf(write.Key ?? write.Item ?? {})), write)
  }

  #apply(kind: Kind, write: KeyedWrite): void {
    const key = keyOf(write.Key ?? write.Item ?? {})
    const before = this.rows.get(key)
    if (kind === 'ConditionCheck') return
    if (kind === 'Delete') {
      this.rows.delete(key)
      return
    }
    const stored = copied(
      kind === 'Put' ? (write.Item ?? {}) : updated(write.UpdateExpression ?? '', { ...before, ...write.Key }, write),
    )
    this.rows.set(key, stored)
    try {
      this.#watch(before, stored, this.#sender)
    } catch (error) {
      this.#world.failure ??= error
    }
  }
}

/** A command in a word or two, for the log of steps. */
function told(command: unknown): string {
  const sent = command as {
    input: KeyedWrite & { TransactItems?: Record<string, KeyedWrite>[] }
    constructor: { name: string }
  }
  const writes = sent.input.TransactItems?.flatMap((item) => Object.values(item)) ?? [sent.input]
  return `${sent.constructor.name} ${writes.map(({ Key, Item }) => sortKeyIn(Key ?? Item)).join(' ')}`
}

/** The sort key of a write, or of a read in DynamoDB's own terms. */
function sortKeyIn(key: Item | undefined): unknown {
  const sk = key?.sk
  return typeof sk === 'object' && sk !== null && 'S' in sk ? sk.S : sk
}

const keyOf = ({ pk, sk }: Item): string => `${pk} ${sk}`
