/** A real DynamoDB engine on loopback: the bundled binary, one on the PATH, or any endpoint that one names. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { delimiter, dirname, join } from 'node:path'
import {
  CreateTableCommand,
  DynamoDBClient,
  ResourceInUseException,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb'
import { tableSchema } from '../shared/storage/schema.ts'

export interface Engine {
  endpoint: string
  stop(): Promise<void>
}

const startTimeoutMs = 10_000

/** Starts an engine that keeps its data in `databaseFile`, or in memory without one. */
export async function startEngine(databaseFile?: string): Promise<Engine> {
  const named = process.env.DYNAMODB_ENDPOINT
  if (named) return { endpoint: named, stop: async () => {} }
  const port = await freePort()
  const endpoint = `http://127.0.0.1:${port}`
  const child = spawn(
    findBinary(),
    ['--host', '127.0.0.1', '--port', String(port), ...(databaseFile ? ['--db-path', databaseFile] : [])],
    // A process group of its own: Ctrl-C reaches us alone, and we end it once the last request is answered.
    { stdio: ['ignore', 'ignore', 'pipe'], detached: true },
  )
  const endWithUs = () => child.kill()
  process.once('exit', endWithUs)
  child.once('exit', () => process.off('exit', endWithUs))
  const said: Buffer[] = []
  child.stderr.on('data', (chunk: Buffer) => said.length < 50 && said.push(chunk))
  await untilReady(endpoint, child, () => Buffer.concat(said).toString())
  return { endpoint, stop: () => stopChild(child) }
}

function findBinary(): string {
  const onPath = (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'dynoxide'))
    .find((file) => existsSync(file))
  const found = bundledBinary() ?? onPath
  if (found) return found
  throw new Error(
    `There is no DynamoDB engine for ${process.platform}-${process.arch} among the installed packages. Either install one ` +
      '(cargo install dynoxide-rs) so that dynoxide is on the PATH, or start DynamoDB Local and set DYNAMODB_ENDPOINT to its URL.',
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

/** A port that nobody listens on at the moment. */
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
  child.kill('SIGTERM')
  await ended
}

/** Makes the table as the Storage stack declares it, unless it is there. */
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
