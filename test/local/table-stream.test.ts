/** Readers of the table's stream on this machine get batches as Lambda delivers them. */
import { randomUUID } from 'node:crypto'
import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { enableStream } from '../../local/engine.ts'
import { playStream, type Reader, type StreamPlayer } from '../../local/table-stream.ts'
import type { BatchResult } from '../../shared/runtime/table-stream.ts'
import { putRow, putRows } from '../support/rows.ts'

type Records = Parameters<Reader['read']>[0]

let player: StreamPlayer | undefined
/** The rows of a test have a prefix that no other test has. */
let prefix: string
beforeAll(() => enableStream(process.env.DYNAMODB_ENDPOINT ?? '', process.env.TABLE_NAME ?? ''))
beforeEach(() => {
  prefix = `${randomUUID()}#`
})
afterEach(async () => {
  await player?.close()
  player = undefined
  vi.restoreAllMocks()
})

const sortKeyOf = ({ dynamodb }: Records[number]) => dynamodb?.Keys?.sk?.S?.slice(prefix.length) ?? ''
const row = (name: string) => ({ pk: 'ORG#stream', sk: prefix + name })
const done: BatchResult = { batchItemFailures: [] }

/** Plays the stream to one reader, and returns the batches that it gets. */
function play(read: (names: string[], records: Records) => BatchResult, repeated = 0): string[][] {
  const batches: string[][] = []
  player = playStream({
    endpoint: process.env.DYNAMODB_ENDPOINT ?? '',
    tableName: process.env.TABLE_NAME ?? '',
    readers: [
      {
        insertedSortKeys: prefix,
        read: async (records) => {
          batches.push(records.map(sortKeyOf))
          return read(batches.at(-1) ?? [], records)
        },
      },
    ],
    pollEveryMs: 10,
    repeated,
  })
  return batches
}

const patiently = { timeout: 15_000 }

test('delivers inserted rows of the prefix in batches of at most 100, once and in order', async () => {
  const names = Array.from({ length: 130 }, (_, index) => String(index).padStart(3, '0'))
  for (const name of names.slice(0, 3)) await putRow(row(name))
  await putRow({ ...row('000'), changed: true })
  await putRow({ pk: 'ORG#stream', sk: `other ${prefix}` })
  await putRows(names.slice(3).map(row))
  const batches = play(() => done)
  await vi.waitFor(() => expect(batches.flat()).toHaveLength(names.length), patiently)
  expect(batches.flat().slice(0, 3)).toEqual(names.slice(0, 3))
  expect(batches.flat().sort()).toEqual(names)
  expect(Math.max(...batches.map(({ length }) => length))).toBeLessThanOrEqual(100)
})

test('delivers a batch again', async () => {
  await putRow(row('a'))
  const batches = play(() => done, 1)
  await vi.waitFor(() => expect(batches).toEqual([['a'], ['a']]), patiently)
})

test('delivers from the first failed record on again', async () => {
  await putRow(row('a'))
  await putRow(row('b'))
  await putRow(row('c'))
  let failures = 0
  const batches = play((_names, records) => {
    const failed = records.find((record) => sortKeyOf(record) === 'b')
    if (!failed || failures++ > 0) return done
    return { batchItemFailures: [{ itemIdentifier: failed.dynamodb?.SequenceNumber ?? '' }] }
  })
  await vi.waitFor(() => expect(batches.flat()).toEqual(['a', 'b', 'c', 'b', 'c']), patiently)
})

test('delivers a whole batch again when the reader throws', async () => {
  await putRow(row('a'))
  let isFirst = true
  const batches = play(() => {
    if (!isFirst) return done
    isFirst = false
    throw new Error('a fault of the test')
  })
  await vi.waitFor(() => expect(batches).toEqual([['a'], ['a']]), patiently)
})

test('gives up a batch after 20 attempts, and goes on', async () => {
  const errors = vi.spyOn(console, 'error').mockImplementation(() => undefined)
  const { setTimeout } = globalThis
  vi.spyOn(globalThis, 'setTimeout').mockImplementation(((run: () => void, ms = 0, ...rest: []) =>
    // Only the pauses between attempts.
    setTimeout(run, ms >= 400 && ms <= 10_000 && ms % 400 === 0 ? 1 : ms, ...rest)) as typeof setTimeout)
  await putRow(row('bad'))
  const batches = play((names) => {
    if (names.includes('bad')) throw new Error('a fault of the test')
    return done
  })
  await vi.waitFor(() => expect(errors).toHaveBeenCalledOnce(), patiently)
  expect(batches).toEqual(Array(20).fill(['bad']))
  await putRow(row('good'))
  await vi.waitFor(() => expect(batches.at(-1)).toEqual(['good']), patiently)
})

test('delivers nothing after it is closed', async () => {
  await putRow(row('a'))
  const batches = play(() => done)
  await vi.waitFor(() => expect(batches).toHaveLength(1), patiently)
  await player?.close()
  await putRow(row('b'))
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(batches).toEqual([['a']])
})
