/** What one organization can send: records of usage that meet in the row of its month. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { isSum } from '../shared/usage/metrics.ts'
import { attributes, monthKey } from '../shared/usage/month.ts'
import { monthOf } from '../shared/usage/period.ts'
import type { UsageRequest } from '../shared/usage/record.ts'
import { takeUsage } from '../shared/usage/take.ts'
import { metrics } from '../shared/usage-limits/record.ts'
import { consumedBy } from './consumed.ts'
import { deadline, makeEnterpriseOrg, putRows, requestContext, seedUsableKeys } from './fixture.ts'
import { fire, p50, p99 } from './load.ts'
import type { Settings } from './parts.ts'
import { ms, type Report, type TableRow } from './report.ts'
import { startServer } from './server-process.ts'

const callers = 32
const batch = 100
const warmUpRequests = 200
/** What DynamoDB takes of one row or partition. */
const maxWriteUnits = 1000
/** Of the row of an id, in a transaction. It lies in a partition of its own. */
const unitsOfId = 2

interface Form {
  mode: UsageRequest['mode']
  records: number
  withIds: boolean
}

const forms: Record<string, Form> = {
  'record, one without an id': { mode: 'record', records: 1, withIds: false },
  [`record, ${batch} without ids`]: { mode: 'record', records: batch, withIds: false },
  'record, one with an id': { mode: 'record', records: 1, withIds: true },
  'consume, one without an id': { mode: 'consume', records: 1, withIds: false },
}

const requestOf = ({ mode, records, withIds }: Form): UsageRequest => ({
  mode,
  records: Array.from({ length: records }, () => ({
    ...(withIds ? { id: randomUUID() } : {}),
    ...{ metric: 'hosted_requests_monthly', add: 1 },
  })),
})

export async function measureUsage({ seconds }: Settings): Promise<Report> {
  const server = await startServer(join(import.meta.dirname, 'service-server.ts'))
  try {
    const rows: TableRow[] = []
    for (const [name, form] of Object.entries(forms)) rows.push(await measure(name, form, server.url, seconds))
    const note = `One org on the plan enterprise, ${callers} callers at once with a key each, ${seconds} s; all records meet in one row. The plan’s limit of the metric is enforced on consume, and not reached. The local engine is not DynamoDB and has no limit of write units: records/s are those of this machine. The last two columns are DynamoDB’s: it takes ${maxWriteUnits.toLocaleString('en-US')} write units a second of one row. They divide that by the measured units of a request in the row of the month: early, when it has a few numbers, and when all metrics have a value on each of 31 days. Transactions that meet in a row cancel each other, so with ids DynamoDB takes less than that.`
    return { tables: [{ title: 'Records of usage of one organization', rows, note }] }
  } finally {
    server.stop()
  }
}

async function measure(name: string, form: Form, url: string, seconds: number): Promise<TableRow> {
  const { orgId } = await makeEnterpriseOrg()
  const keys = await seedUsableKeys(orgId, callers)
  const shot = (worker: number) => ({
    ...{ method: 'POST', path: '/api/v2/settings/usage/records', token: keys[worker % callers] ?? '' },
    ...{ body: requestOf(form), status: 200, refusal: 503 },
  })
  await fire(url, { count: warmUpRequests }, callers, shot)
  const result = await fire(url, { seconds }, callers, shot)
  const early = await unitsOfRow(orgId, form)
  await fillMonth(orgId)
  const late = await unitsOfRow(orgId, form)
  const counted = (result.latenciesMs.length - result.refused) * form.records
  const allowed = (units: number) => ((maxWriteUnits / units) * form.records).toLocaleString('en-US')
  return {
    request: name,
    'records/s': (counted / result.seconds).toFixed(0),
    'answered 503': String(result.refused),
    'p50 ms': ms(p50(result)),
    'p99 ms': ms(p99(result)),
    'units, early and full row': `${early}, ${late}`,
    'DynamoDB records/s, early': allowed(early),
    'full row': allowed(late),
  }
}

/** Write units of a request in the row of the month: without the rows of ids, and without the caller's rate limit. */
async function unitsOfRow(orgId: string, form: Form): Promise<number> {
  const taking = { context: requestContext(orgId), deadline: deadline(), idempotency: undefined }
  const { writeUnits } = await consumedBy(() => takeUsage(requestOf(form), taking))
  return writeUnits - (form.withIds ? unitsOfId * form.records : 0)
}

const days = Array.from({ length: 31 }, (_, index) => String(index + 1).padStart(2, '0'))

/** Gives every metric a value on every day of this month. */
async function fillMonth(orgId: string): Promise<void> {
  const [value, timeMs] = [12_345_678, Date.now()]
  const numbers = metrics.flatMap((metric) => {
    const level = isSum(metric) ? [] : [[attributes.setAt(metric), timeMs]]
    const daily = days.flatMap((day) => [
      [attributes.day(metric, day), value],
      ...(isSum(metric) ? [] : [[attributes.daySetAt(metric, day), timeMs]]),
    ])
    return [[attributes.used(metric), value], ...level, ...daily]
  })
  const row = {
    ...monthKey(orgId, monthOf(Date.now())),
    version: 1,
    last: randomUUID(),
    ...Object.fromEntries(numbers),
  }
  await putRows(1, () => row)
}
