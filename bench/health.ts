/** Live health must cost the same queries for any number of targets. A report costs in proportion to its batch. */
import { type LocalTargetRecord, untested } from '../shared/execution/local-target.ts'
import { localTargets } from '../shared/execution/local-target-entity.ts'
import { newId } from '../shared/ids.ts'
import { recordKey } from '../shared/storage/record.ts'
import { callOperation } from './call.ts'
import { type Consumed, consumedBy } from './consumed.ts'
import { type BenchOrg, makeOrg, putRows } from './fixture.ts'
import { median, ms, percentile, type Report, ratio, type TableRow } from './report.ts'

const targetCounts = [1, 50, 200]
const batchSizes = [1, 100]
const reporters = 3
const samples = 100
const warmUp = 10

type Org = BenchOrg & { targetIds: string[] }

export async function measureHealth(): Promise<Report> {
  const reads: Measured[] = []
  for (const count of targetCounts) {
    const org = await orgWith(count)
    for (let reporter = 0; reporter < reporters; reporter++) await reportAll(org, `server-${reporter}`)
    reads.push(await measure(`health of ${count}`, () => health(org)))
  }
  const org = await orgWith(Math.max(...batchSizes))
  const writes: Measured[] = []
  for (const size of batchSizes) {
    writes.push(await measure(`report of ${size}`, () => report(org, org.targetIds.slice(0, size), 0)))
    writes.push(
      await measure(`report of ${size}, one of them failing`, () => report(org, org.targetIds.slice(0, size), 1)),
    )
  }
  const rows = [...toRows(reads), ...toRows(writes)]
  const note = `${samples} calls each, handler and engine; ratios compare with the first row of the same kind. Each target has reports of ${reporters} reporters. GetItem 1 and UpdateItem 1 are authentication. A batch of several targets is a transaction, and DynamoDB bills its writes twice.`
  return { tables: [{ title: 'Live health', rows, note }] }
}

/** An org with local targets as a creation stores them, but without audit events. */
async function orgWith(count: number): Promise<Org> {
  const org = await makeOrg()
  const at = new Date().toISOString()
  const targets = Array.from(
    { length: count },
    (_, index): LocalTargetRecord => ({
      ...{
        id: newId('tgt'),
        name: `Runtime ${index}`,
        endpoint: `https://runtime-${index}.example.com`,
        runtime: 'vllm',
      },
      ...{
        models: ['llama-3'],
        priority: 100,
        weight: 1,
        enabled: true,
        masked: null,
        ciphertext: null,
        key_version: 0,
      },
      ...{ ...untested, created_at: at, updated_at: at, version: 1 },
    }),
  )
  await putRows(count, (index) => {
    const target = targets[index]
    return target && { ...recordKey(localTargets, org.orgId, target.id), ...target }
  })
  return { ...org, targetIds: targets.map(({ id }) => id) }
}

const health = (org: Org) => callOperation('execution/health', org, {})

function report(org: Org, ids: readonly string[], failed: number, reporter_id = 'server-0') {
  const counts = { started: 20, succeeded: 20, inflight: 3, latency_ms_p50: 250 }
  const reports = ids.map((target_id, index) => ({ target_id, ...counts, failed: index === 0 ? failed : 0 }))
  return callOperation('execution/report', org, { body: { reporter_id, reports } })
}

async function reportAll(org: Org, reporter: string): Promise<void> {
  for (let done = 0; done < org.targetIds.length; done += 100)
    await report(org, org.targetIds.slice(done, done + 100), 0, reporter)
}

interface Measured {
  name: string
  times: number[]
  consumed: Consumed
}

async function measure(name: string, work: () => Promise<unknown>): Promise<Measured> {
  const times: number[] = []
  for (let sample = -warmUp; sample < samples; sample++) {
    const start = performance.now()
    await work()
    if (sample >= 0) times.push(performance.now() - start)
  }
  return { name, times, consumed: await consumedBy(work) }
}

function toRows(measured: readonly Measured[]): TableRow[] {
  const [first] = measured
  const units = ({ consumed: { readUnits, writeUnits } }: Measured) => readUnits + writeUnits
  return measured.map((one) => ({
    operation: one.name,
    'p50 ms': ms(median(one.times)),
    p95: ms(percentile(one.times, 0.95)),
    ratio: ratio(median(one.times), median(first?.times ?? [])),
    read: String(one.consumed.readUnits),
    write: String(one.consumed.writeUnits),
    'units ratio': ratio(units(one), first ? units(first) : 1),
    calls: String(one.consumed.calls.length),
  }))
}
