/** A real DynamoDB engine on loopback: the bundled binary, one on the PATH, or a configured endpoint. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { delimiter, dirname, join } from 'node:path'
import {
  CreateTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  ResourceInUseException,
  UpdateTableCommand,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb'
import { tableSchema } from '../shared/table/schema.ts'

export interface Engine {
  endpoint: string
  /** Resolves with the engine's output if it ends unexpectedly. */
  ended: Promise<string>
  stop(): Promise<void>
}

const startTimeoutMs = 10_000

/** Starts an engine that keeps its data in `databaseFile`, or in memory without one. */
export async function startEngine(databaseFile?: string): Promise<Engine> {
  const named = process.env.DYNAMODB_ENDPOINT
  if (named) return attachTo(requireEndpoint(named))
  const port = await freePort()
  const endpoint = `http://127.0.0.1:${port}`
  const options = ['--host', '127.0.0.1', '--port', String(port), ...(databaseFile ? ['--db-path', databaseFile] : [])]
  const child = spawn(
    'sh',
    ['-c', endsWithItsInput, 'engine', findBinary(), ...options],
    // A separate process group: Ctrl-C reaches only us, and we stop the engine after the last request.
    { stdio: ['pipe', 'ignore', 'pipe'], detached: true },
  )
  const said: Buffer[] = []
  child.stderr.on('data', (chunk: Buffer) => said.length < 50 && said.push(chunk))
  await untilReady(endpoint, child, () => Buffer.concat(said).toString())
  let stopped = false
  const ended = new Promise<string>((resolve) => {
    child.once('exit', () => {
      if (!stopped) resolve(Buffer.concat(said).toString())
    })
  })
  const stop = () => {
    stopped = true
    return stopChild(child)
  }
  return { endpoint, ended, stop }
}

/** An engine that already runs, and keeps running after us. */
async function attachTo(endpoint: string): Promise<Engine> {
  await fetch(endpoint).catch(() => {
    throw new Error(
      `DYNAMODB_ENDPOINT is ${endpoint}, but no engine answers there: start it, or unset DYNAMODB_ENDPOINT to use the bundled one.`,
    )
  })
  return { endpoint, ended: new Promise(() => {}), stop: async () => {} }
}

/**
 * Runs the engine until our pipe closes. A killed process always closes its pipes, so the engine never keeps its port.
 */
const endsWithItsInput = `exec 3<&0
"$@" &
engine=$!
{ cat <&3 >/dev/null; kill "$engine" 2>/dev/null; } &
wait "$engine"`

/** @throws Error for an invalid engine URL */
export function requireEndpoint(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text
  throw new Error(`DYNAMODB_ENDPOINT must be the URL of a DynamoDB engine, like http://127.0.0.1:8000, not ${text}`)
}

function findBinary(): string {
  const onPath = (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'dynoxide'))
    .find((file) => existsSync(file))
  const found = bundledBinary() ?? onPath
  if (found) return found
  throw new Error(
    `There is no DynamoDB engine for ${process.platform}-${process.arch} among the installed packages. Install one ` +
      '(cargo install dynoxide-rs) so that dynoxide is on the PATH, start DynamoDB Local and set DYNAMODB_ENDPOINT to its URL, or use the Dockerfile.',
  )
}

function bundledBinary(): string | undefined {
  try {
    const manifest = createRequire(import.meta.url).resolve(
      `@dynoxide/${process.platform}-${process.arch}/package.json`,
    )
    return join(dirname(manifest), 'dynoxide')
  } catch {
    return undefined
  }
}

/** A free port. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  if (typeof address !== 'object' || address === null) throw new Error('the probe has no port')
  return address.port
}

async function untilReady(endpoint: string, child: ChildProcess, said: () => string): Promise<void> {
  const giveUp = Date.now() + startTimeoutMs
  while (Date.now() < giveUp && child.exitCode === null) {
    const answered = await fetch(endpoint).then(
      () => true,
      () => false,
    )
    if (answered) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  await stopChild(child)
  throw new Error(`the DynamoDB engine did not start: ${said()}`)
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.stdin?.end()
  await ended
}

/** Creates the table as the Storage stack declares it, but without its stream, unless it exists. */
export async function createTable(endpoint: string, name: string): Promise<void> {
  const client = new DynamoDBClient({ endpoint })
  const { partitionKey, sortKey, timeToLive } = tableSchema
  try {
    await client.send(
      new CreateTableCommand({
        TableName: name,
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [partitionKey, sortKey].map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
        KeySchema: [
          { AttributeName: partitionKey, KeyType: 'HASH' },
          { AttributeName: sortKey, KeyType: 'RANGE' },
        ],
      }),
    )
    const TimeToLiveSpecification = { AttributeName: timeToLive, Enabled: true }
    await client.send(new UpdateTimeToLiveCommand({ TableName: name, TimeToLiveSpecification }))
  } catch (error) {
    if (!(error instanceof ResourceInUseException)) throw error
  } finally {
    client.destroy()
  }
}

/**
 * Gives the table its stream, unless it has one. Apart from the table: the engine's writes take longer with each record of a
 * stream, and most tests need none.
 */
export async function enableStream(endpoint: string, TableName: string): Promise<void> {
  const client = new DynamoDBClient({ endpoint })
  const StreamSpecification = { StreamEnabled: true, StreamViewType: 'NEW_IMAGE' } as const
  try {
    const { Table } = await client.send(new DescribeTableCommand({ TableName }))
    if (!Table?.StreamSpecification?.StreamEnabled)
      await client.send(new UpdateTableCommand({ TableName, StreamSpecification }))
  } finally {
    client.destroy()
  }
}
