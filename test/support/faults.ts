/** Faults on the way to the table: calls that are watched, held up, failed, or answered by something else. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { table } from '../../shared/table/client.ts'

/** One call of the table's client, with the fields by which tests select calls. */
export interface TableCall {
  /** As the client names it: `GetItemCommand`, `TransactWriteItemsCommand`. */
  command: string
  /** `pk sk` of each row that the call names. */
  rows: string[]
}

type Keyed = { Key?: object; Item?: object; TableName?: string }
type Input = Keyed & { TransactItems?: Record<string, Keyed>[]; ExpressionAttributeValues?: Record<string, unknown> }

/** The document form holds texts, the wire's form `{ S: text }`. */
const text = (value: unknown): string =>
  typeof value === 'string' ? value : ((value as { S?: string } | undefined)?.S ?? '')

const rowOf = ({ Key, Item }: Keyed): string => {
  const { pk, sk } = (Key ?? Item ?? {}) as { pk?: unknown; sk?: unknown }
  return `${text(pk)} ${text(sk)}`
}

function callOf(commandName: unknown, input: object): TableCall {
  const { TransactItems, ...single } = input as Input
  const keyed = TransactItems ? TransactItems.flatMap((item) => Object.values(item)) : [single]
  return { command: String(commandName), rows: keyed.map(rowOf) }
}

let interceptors = 0

/**
 * Runs `run` while `intercept` stands between the service and the table, outside the client's own retries: it calls
 * `send` or does not, and what it throws is what the service sees.
 */
export async function interceptTable<T>(
  intercept: (call: TableCall, send: () => Promise<unknown>) => Promise<unknown>,
  run: () => Promise<T>,
): Promise<T> {
  const name = `intercept${interceptors++}`
  table().middlewareStack.add(
    (next, context) => (args) =>
      intercept(callOf(context.commandName, args.input), () => next(args)) as ReturnType<typeof next>,
    { step: 'initialize', name },
  )
  try {
    return await run()
  } finally {
    table().middlewareStack.remove(name)
  }
}

/** The calls that `run` makes. */
export async function callsDuring(run: () => Promise<unknown>): Promise<TableCall[]> {
  const calls: TableCall[] = []
  await interceptTable((call, send) => {
    calls.push(call)
    return send()
  }, run)
  return calls
}

/** Runs `run` while each attempt of the calls that `chosen` picks goes to another address, inside the client's retries. */
export async function divertTable<T>(
  chosen: (call: TableCall) => boolean,
  to: { port: number },
  run: () => Promise<T>,
): Promise<T> {
  const name = `divert${interceptors++}`
  table().middlewareStack.add(
    (next, context) => (args) => {
      if (chosen(callOf(context.commandName, args.input))) Object.assign(args.request as object, to)
      return next(args)
    },
    { step: 'finalizeRequest', priority: 'low', name },
  )
  try {
    return await run()
  } finally {
    table().middlewareStack.remove(name)
  }
}

export interface FaultServer {
  port: number
  /** How many requests it has been sent. */
  requests(): number
  close(): void
}

/** A DynamoDB that fails: it answers each request with the error, or, with `hang`, never. */
export async function faultServer(fault: { status: number; type: string } | 'hang'): Promise<FaultServer> {
  let requests = 0
  const server: Server = createServer((request, response) => {
    requests++
    request.resume()
    if (fault === 'hang') return
    response.writeHead(fault.status, { 'content-type': 'application/x-amz-json-1.0' })
    response.end(JSON.stringify({ __type: fault.type, message: 'a fault of the test' }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    requests: () => requests,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
