/** The load at which each limit is reached, from measurements, the profile and published quotas. */

import type { TableRow } from '../bench/report.ts'
import { defaultThrottles } from '../functions/throttles.ts'
import { peakFactor, profile, waitMs } from './assumptions.ts'
import { billedMs, healthWriteUnits, type MinuteRow, maxWithin, type Sample } from './bill.ts'
import { quotas } from './quotas.ts'
import type { StageResources } from './stage-resources.ts'
import type { StepName } from './steps.ts'

export interface Findings {
  samples: ReadonlyMap<StepName, Sample>
  minuteRow: MinuteRow
  resources: StageResources
}

/** Write units of a transaction of two rows in the org's partition: the record and the event. */
const changeWriteUnits = 4
const batchTargets = 100
/** Above this number of organizations, the page gives no figure. */
const farAway = 1_000_000
/** Timeout of outbound calls, in seconds. */
const outboundSeconds = 10
const secondsPerMonth = 30 * 86_400

const whole = (value: number): string => Math.floor(value).toLocaleString('en-US')
const row = (limit: string, quota: string, use: string, met: string): TableRow => ({
  limit,
  quota,
  use,
  'reached at': met,
})

/** Limits that one organization can reach alone. */
export const limitsOfOneOrg = (findings: Findings): TableRow[] => [
  ...limitsOfTrail(findings),
  ...limitsOfKey(),
  ...limitsOfHealth(findings),
]

const writesOfRow = `${whole(quotas.partitionWriteUnits)} write units/s per row`
const readsOfRow = `${whole(quotas.partitionReadUnits)} read units/s per row`

function limitsOfTrail({ samples }: Findings): TableRow[] {
  const seal = samples.get('seal an event')?.writeUnits ?? Number.NaN
  const { partitionWriteUnits } = quotas
  return [
    row(
      ...(['Changes: rows of the organization', writesOfRow.replace('row', 'partition')] as const),
      `${changeWriteUnits} per change of one row, and up to ${seal} to seal its event; changes share no row`,
      `${whole(partitionWriteUnits / (changeWriteUnits + seal))} changes/s`,
    ),
  ]
}

function limitsOfKey(): TableRow[] {
  const { partitionWriteUnits, partitionReadUnits } = quotas
  return [
    row(
      ...([
        'Rate counter of a principal',
        writesOfRow,
        '1 per lease, which grows with use to about two seconds of requests per process',
      ] as const),
      `${whole(partitionWriteUnits * 2)} processes that serve one key. Above that, a request waits up to 1 s for its counter and passes uncounted`,
    ),
    row('Record of a key', readsOfRow, '1 per request', `${whole(partitionReadUnits)} requests/s with one key`),
  ]
}

function limitsOfHealth({ samples, minuteRow }: Findings): TableRow[] {
  const reading = samples.get('health, 200 targets')?.readUnits ?? Number.NaN
  const reporters = (bytes: number) => whole((bytes - minuteRow.baseBytes) / minuteRow.bytesPerReporter)
  const { itemBytes, partitionReadUnits } = quotas
  const ofBatch = quotas.transactionBytes / batchTargets
  const bytes = whole(minuteRow.bytesPerReporter)
  return [
    row(
      ...(['Health: read', readsOfRow.replace('row', 'partition'), `up to ${reading} with 200 targets`] as const),
      `${whole(partitionReadUnits / reading)} reads/s`,
    ),
    row(
      ...(['Health: batch of several targets', 'none published'] as const),
      `a transaction, ${waitMs.transaction} ms assumed; transactions on one row cancel each other`,
      `${whole(1000 / waitMs.transaction)} batches/s of the same target`,
    ),
    row(
      ...(['Health: row of a minute', '400 KB per item'] as const),
      `${bytes} bytes per reporter`,
      `${reporters(itemBytes)} reporters of a target; the service allows 200`,
    ),
    row(
      ...(['Health: rows of a batch', '4 MB per transaction'] as const),
      `${batchTargets} rows, ${bytes} bytes per reporter`,
      `${reporters(ofBatch)} reporters of the same ${batchTargets} targets; the service allows 200`,
    ),
  ]
}

const intervals = [60, 10]
const targetCounts = [1, 3, 10, 100]

/** The number of reporters that fills an org's health partition. */
export function reportersOfOneOrg({ minuteRow }: Findings): TableRow[] {
  return targetCounts.map((targets) => ({
    'targets in a batch': String(targets),
    ...Object.fromEntries(
      intervals.map((seconds) => [
        `reporters, every ${seconds} s`,
        whole(maxWithin(quotas.partitionWriteUnits, (count) => healthWriteUnits(minuteRow, count, targets, seconds))),
      ]),
    ),
  }))
}

/** Limits that all organizations reach together: how many organizations of the profile, in the busiest hour. */
export const limitsOfAll = (findings: Findings): TableRow[] => [...limitsOfRates(findings), ...limitsOfCounts(findings)]

interface Rate {
  limit: string
  quota: number
  unit: string
  of(sample: Sample): number
}

const requests = ({ apiRequests }: Sample) => apiRequests
const writeUnits = (sample: Sample) => sample.writeUnits

const rates: readonly Rate[] = [
  {
    limit: 'Throttle of one route, disposable stages (`functions/throttles.ts`)',
    ...{ quota: defaultThrottles.disposable.rateLimit, unit: 'requests/s', of: requests },
  },
  {
    limit: 'Throttle of one route, protected stages',
    ...{ quota: defaultThrottles.protected.rateLimit, unit: 'requests/s', of: requests },
  },
  { limit: 'API Gateway, account', quota: quotas.accountRequests, unit: 'requests/s', of: requests },
  { limit: 'Lambda, account', quota: quotas.concurrency, unit: 'at once', of: (sample) => billedMs(sample) / 1000 },
  { limit: 'Table on demand, new', quota: quotas.newTableWriteUnits, unit: 'write units/s', of: writeUnits },
  { limit: 'Table, default quota', quota: quotas.tableWriteUnits, unit: 'write units/s', of: writeUnits },
  { limit: 'KMS, account', quota: quotas.kmsCalls, unit: 'calls/s', of: ({ kmsCalls }) => kmsCalls },
  { limit: 'KMS, signatures', quota: quotas.signatures, unit: 'calls/s', of: ({ signatures }) => signatures },
  { limit: 'EventBridge', quota: quotas.putEvents, unit: 'PutEvents/s', of: ({ events }) => events },
  {
    ...{ limit: `Stripe, one endpoint; ${quotas.stripeRequests}/s in total (estimate)`, unit: 'requests/s' },
    ...{ quota: quotas.stripeEndpointRequests, of: ({ events }: Sample) => events },
  },
]

function limitsOfRates({ samples }: Findings): TableRow[] {
  return rates.map(({ limit, quota, unit, of }) => {
    const monthly = Object.entries(profile.each).reduce((sum, [name, count]) => {
      const sample = samples.get(name as StepName)
      return sum + (sample ? of(sample) * count : 0)
    }, 0)
    const use = (monthly * peakFactor) / secondsPerMonth
    const orgs = quota / use > farAway ? 'not relevant' : `${whole(quota / use)} orgs`
    return row(limit, `${whole(quota)} ${unit}`, `${use.toPrecision(2)} per org`, orgs)
  })
}

function limitsOfCounts({ resources }: Findings): TableRow[] {
  const [[stack, count] = ['', Number.NaN]] = [...resources.stacks].sort(([, a], [, b]) => b - a)
  const routes = resources.types.get('AWS::ApiGatewayV2::Route') ?? 0
  const { concurrency, stackResources, sweepCustomersAnHour } = quotas
  return [
    row(
      ...(['Lambda, account, while a provider hangs', `${whole(concurrency)} at once`] as const),
      `a test waits up to ${outboundSeconds} s`,
      `${whole(concurrency / outboundSeconds)} tests/s`,
    ),
    row(
      ...([
        'Billing sweep (estimate)',
        `${sweepCustomersAnHour} customers per hour, plus customers that are due`,
      ] as const),
      'each customer once a day',
      `${whole(sweepCustomersAnHour * 24)} paying orgs`,
    ),
    row(
      ...(['CloudFormation', `${stackResources} resources per stack`] as const),
      `${count} in the largest stack, ${stack}`,
      `${(stackResources / count).toFixed(1)} times this size`,
    ),
    row('HTTP API', `${quotas.routes} routes`, `${routes} routes`, `${quotas.routes - routes} more operations`),
  ]
}
