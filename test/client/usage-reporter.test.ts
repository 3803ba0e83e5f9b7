/** The usage reporter against a client that fails and loses answers. */
import { expect, test } from 'vitest'
import { createUsageReporter, NoAnswerError, type SettingsClient, type UsageRecord } from '../../client/src/index.ts'

/** A service that counts ids once, and fails before or after counting as `fails` says. */
function service(fails: (call: number) => 'before' | 'after' | undefined = () => undefined) {
  const counted = new Map<string, number>()
  const sizes: number[] = []
  const POST = async (_path: string, { body }: { body: { records: UsageRecord[] } }) => {
    sizes.push(body.records.length)
    const fault = fails(sizes.length)
    if (fault === 'before') throw new NoAnswerError('refused', 1)
    for (const record of body.records) counted.set(record.id ?? '', 'add' in record ? record.add : record.set)
    if (fault === 'after') throw new NoAnswerError('lost', 1)
  }
  return { client: { POST } as unknown as Pick<SettingsClient, 'POST'>, counted, sizes }
}

const download = { metric: 'model_downloads_monthly', add: 1 } as const

test('sends batches of at most 100 records, each with an id and a time', async () => {
  const { client, counted, sizes } = service()
  const reporter = createUsageReporter({ client, flushIntervalMs: 5 })
  for (let index = 0; index < 250; index++) reporter.report(download)
  await reporter.close()
  expect([counted.size, Math.max(...sizes), reporter.pending]).toEqual([250, 100, 0])
  expect(() => reporter.report(download)).toThrow('closed')
})

test('loses nothing and counts nothing twice when calls fail and answers are lost', async () => {
  const { client, counted } = service((call) => (call % 3 === 1 ? 'before' : call % 3 === 2 ? 'after' : undefined))
  const reporter = createUsageReporter({ client, flushIntervalMs: 1, retryDelayMs: 1 })
  for (let index = 0; index < 120; index++) reporter.report(download)
  await reporter.close()
  expect([...counted.values()].reduce((sum, add) => sum + add, 0)).toBe(120)
})

test('stops waiting when the caller aborts, and keeps the records', async () => {
  const { client } = service(() => 'before')
  const reporter = createUsageReporter({ client, flushIntervalMs: 60_000, retryDelayMs: 1 })
  reporter.report(download)
  await expect(reporter.close(AbortSignal.timeout(30))).rejects.toThrow()
  expect(reporter.pending).toBe(1)
})
