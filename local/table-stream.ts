/**
 * Event source mappings of the table's stream on this machine: each reader gets new rows in batches, again when it fails, and
 * now and then twice, as Lambda delivers them.
 */
import {
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
  ListStreamsCommand,
  type _Record as StreamedRecord,
} from '@aws-sdk/client-dynamodb-streams'
import type { BatchResult } from '../shared/runtime/table-stream.ts'

export interface Reader {
  /** It gets inserted rows whose sort keys begin so. */
  insertedSortKeys: string
  read(records: readonly StreamedRecord[]): Promise<BatchResult>
}

interface PlayerOptions {
  endpoint: string
  tableName: string
  readers: readonly Reader[]
  pollEveryMs?: number
  /** Share of the batches that are delivered twice. */
  repeated?: number
}

export interface StreamPlayer {
  close(): Promise<void>
}

const maxBatch = 100
const maxAttempts = 20
const firstPauseMs = 200
const maxPauseMs = 10_000

/** Starts all readers at the oldest record: a record that was read before is known to its reader. */
export function playStream(options: PlayerOptions): StreamPlayer {
  const { endpoint, tableName, readers } = options
  const client = new DynamoDBStreamsClient({ endpoint })
  const closed = new AbortController()
  const run: Run = { client, signal: closed.signal, pollEveryMs: 100, repeated: 0.05, ...options }
  const playing = shardsOf(client, tableName).then((shards) =>
    Promise.all(readers.flatMap((reader) => shards.map((shard) => play(run, reader, shard)))),
  )
  return {
    close: async () => {
      closed.abort()
      await playing
      client.destroy()
    },
  }
}

type Run = Required<Pick<PlayerOptions, 'pollEveryMs' | 'repeated'>> & {
  client: DynamoDBStreamsClient
  signal: AbortSignal
}

async function play(run: Run, reader: Reader, shard: Shard): Promise<void> {
  const { client, signal, pollEveryMs } = run
  let iterator: string | undefined
  let last: string | undefined
  while (!signal.aborted) {
    try {
      iterator ??= await iteratorOf(client, shard, last)
      const { Records = [], NextShardIterator } = await client.send(new GetRecordsCommand({ ShardIterator: iterator }))
      const wanted = Records.filter((record) => isWanted(record, reader))
      await deliver(run, reader, wanted)
      last = Records.at(-1)?.dynamodb?.SequenceNumber ?? last
      iterator = NextShardIterator
      if (Records.length === 0) await sleep(pollEveryMs, signal)
    } catch {
      // An iterator expires, and an engine that stops no longer answers.
      iterator = undefined
      await sleep(pollEveryMs, signal)
    }
  }
}

async function deliver({ signal, repeated }: Run, reader: Reader, records: readonly StreamedRecord[]): Promise<void> {
  for (let start = 0, attempt = 1; start < records.length && !signal.aborted; ) {
    const batch = records.slice(start, start + maxBatch)
    const done = await tryRead(reader, batch)
    if (done === batch.length && Math.random() < repeated) await tryRead(reader, batch)
    start += done
    if (done === batch.length) attempt = 1
    else if (++attempt > maxAttempts) {
      console.error(`a reader of the table gave up ${batch.length - done} records after ${maxAttempts} attempts`)
      start += batch.length - done
      attempt = 1
    } else await sleep(Math.min(maxPauseMs, firstPauseMs * 2 ** attempt), signal)
  }
}

/** How many records of a batch its reader is done with. */
async function tryRead(reader: Reader, batch: readonly StreamedRecord[]): Promise<number> {
  const result = await reader.read(batch).catch(() => undefined)
  if (!result) return 0
  const failed = new Set(result.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier))
  const first = batch.findIndex(({ dynamodb }) => failed.has(dynamodb?.SequenceNumber ?? ''))
  return first === -1 ? batch.length : first
}

const isWanted = ({ eventName, dynamodb }: StreamedRecord, { insertedSortKeys }: Reader): boolean =>
  eventName === 'INSERT' && (dynamodb?.Keys?.sk?.S?.startsWith(insertedSortKeys) ?? false)

interface Shard {
  StreamArn: string
  ShardId: string
}

async function shardsOf(client: DynamoDBStreamsClient, TableName: string): Promise<Shard[]> {
  const { Streams = [] } = await client.send(new ListStreamsCommand({ TableName }))
  const StreamArn = Streams.at(-1)?.StreamArn
  if (!StreamArn) throw new Error(`the table ${TableName} has no stream`)
  const { StreamDescription } = await client.send(new DescribeStreamCommand({ StreamArn }))
  return (StreamDescription?.Shards ?? []).map(({ ShardId = '' }) => ({ StreamArn, ShardId }))
}

async function iteratorOf(client: DynamoDBStreamsClient, shard: Shard, after: string | undefined): Promise<string> {
  const position = after
    ? ({ ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: after } as const)
    : ({ ShardIteratorType: 'TRIM_HORIZON' } as const)
  const { ShardIterator = '' } = await client.send(new GetShardIteratorCommand({ ...shard, ...position }))
  return ShardIterator
}

const sleep = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms).unref()
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer)
        resolve()
      },
      { once: true },
    )
  })
