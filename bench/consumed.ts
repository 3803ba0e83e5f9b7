/** What calls of the table consume, as the engine reports it, counted while they run. */
import { table } from '../shared/table/client.ts'

export interface Consumed {
  readUnits: number
  writeUnits: number
  /** Writes of one row whose condition failed. The engine reports no units for them. */
  refusedWrites: number
  /** The calls in their order, each with its units. */
  calls: string[]
}

const readCalls = new Set(['GetItem', 'Query', 'BatchGetItem', 'TransactGetItems'])
let counting: Consumed | undefined
const watched = new WeakSet<Client>()

/** The part of a client that this file needs; all clients of the SDK have it. */
type Client = Pick<ReturnType<typeof table>, 'middlewareStack'>

/** Runs `work` and counts its units, by calls of `client`. Run one at a time: parallel calls are counted too. */
export async function consumedBy(work: () => Promise<unknown>, client: Client = table()): Promise<Consumed> {
  watch(client)
  const consumed: Consumed = { readUnits: 0, writeUnits: 0, refusedWrites: 0, calls: [] }
  counting = consumed
  try {
    await work()
  } finally {
    counting = undefined
  }
  return consumed
}

function watch(client: Client): void {
  if (watched.has(client)) return
  watched.add(client)
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const consumed = counting
        if (!consumed) return next(args)
        const call = String(commandName).replace('Command', '')
        try {
          const result = await next({ ...args, input: { ...args.input, ReturnConsumedCapacity: 'TOTAL' } })
          const units = unitsOf((result.output as { ConsumedCapacity?: Capacity | Capacity[] }).ConsumedCapacity)
          if (readCalls.has(call)) consumed.readUnits += units
          else consumed.writeUnits += units
          consumed.calls.push(`${call} ${units}`)
          return result
        } catch (error) {
          // An error reports no units, but DynamoDB bills a write whose condition fails like a successful one.
          consumed.calls.push(`${call} refused`)
          if (call === 'UpdateItem' || call === 'PutItem') consumed.refusedWrites++
          throw error
        }
      },
    { step: 'initialize', name: 'consumedCapacity' },
  )
}

interface Capacity {
  CapacityUnits?: number
}

/** The service has one table, so there is one report. Transactions and batches return it in a list. */
function unitsOf(reported: Capacity | Capacity[] | undefined): number {
  const units = [reported].flat().reduce((sum, capacity) => sum + (capacity?.CapacityUnits ?? 0), 0)
  if (units === 0) throw new Error('the engine does not report the capacity that a call consumed')
  return units
}
