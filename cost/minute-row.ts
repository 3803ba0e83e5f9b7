/** Measures how the row of a target's minute grows with the number of reporters. */
import { deadline } from '../bench/fixture.ts'
import { countReports } from '../shared/execution/health-entity.ts'
import { reporterNamed } from '../shared/execution/report-entity.ts'
import { newId } from '../shared/ids.ts'
import { queryRange } from '../shared/table/query.ts'
import { orgPartition } from '../shared/table/rows.ts'
import type { MinuteRow } from './bill.ts'
import { rowBytes } from './rows.ts'

/** The counts of one report. */
export const reportedCounts = {
  started: 20,
  succeeded: 20,
  failed: 0,
  tokens: 9000,
  inflight: 2,
  latencySumMs: 2400,
  latencyCount: 20,
}

export async function measureMinuteRow(): Promise<MinuteRow> {
  const orgId = newId('org')
  const targetId = newId('tgt')
  const now = new Date()
  const sizeWith = async (from: number, to: number): Promise<number> => {
    for (let index = from; index < to; index++) {
      const where = { requestId: newId('aud'), now, deadline: deadline() }
      await countReports(orgId, reporterNamed(`server-${index}`), [{ targetId, ...reportedCounts }], where)
    }
    const [row = {}] = await queryRange(`${orgPartition(orgId)}#HEALTH`, 'B#', 'C')
    return rowBytes(row)
  }
  const few = await sizeWith(0, 1)
  const many = await sizeWith(1, 101)
  const bytesPerReporter = (many - few) / 100
  return { baseBytes: few - bytesPerReporter, bytesPerReporter }
}
