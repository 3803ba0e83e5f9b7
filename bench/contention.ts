/** What grows or queues up in one organization: its audit chain, and the minute rows of its health. */
import { countReports } from '../shared/execution/health-entity.ts'
import { reporterNamed } from '../shared/execution/report-entity.ts'
import { newId } from '../shared/ids.ts'
import { orgPartition, queryRange } from '../shared/storage/table.ts'
import type { MinuteRow } from './bill.ts'
import { consumedBy } from './consumed.ts'
import { deadline, makeOrg } from './fixture.ts'
import { rowBytes } from './rows.ts'
import { run } from './steps.ts'

export interface ChainRate {
  writers: number
  changesPerSecond: number
  attemptsPerChange: number
}

/** Changes of one org by many writers, every one of which must move the head of the same chain. */
export async function measureChain(writers = 20, changesEach = 5): Promise<ChainRate> {
  const org = await makeOrg()
  const body = { name: 'Bench key', scopes: ['models:read'] }
  const started = performance.now()
  const { calls } = await consumedBy(() =>
    Promise.all(
      Array.from({ length: writers }, async () => {
        for (let change = 0; change < changesEach; change++) await run('api-keys/create', org, { body })
      }),
    ),
  )
  const changes = writers * changesEach
  return {
    writers,
    changesPerSecond: (changes * 1000) / (performance.now() - started),
    attemptsPerChange: calls.filter((call) => call.startsWith('TransactWriteItems')).length / changes,
  }
}

export async function measureMinuteRow(): Promise<MinuteRow> {
  const orgId = newId('org')
  const targetId = newId('tgt')
  const now = new Date()
  const sizeWith = async (from: number, to: number): Promise<number> => {
    for (let index = from; index < to; index++) {
      const counts = { started: 20, succeeded: 20, failed: 0, inflight: 2, latencySumMs: 2400, latencyCount: 20 }
      const reporter = reporterNamed(`server-${index}`)
      const where = { requestId: newId('aud'), now, deadline: deadline() }
      await countReports(orgId, reporter, [{ targetId, ...counts }], where)
    }
    const [row = {}] = await queryRange(`${orgPartition(orgId)}#HEALTH`, 'B#', 'C')
    return rowBytes(row)
  }
  const few = await sizeWith(0, 1)
  const many = await sizeWith(1, 101)
  const bytesPerReporter = (many - few) / 100
  return { baseBytes: few - bytesPerReporter, bytesPerReporter }
}
