/** Which limit one meets on the way, and at which figure: each from what was measured, the profile, and a published quota. */

import type { ChainRate } from '../bench/contention.ts'
import type { TableRow } from '../bench/report.ts'
import { defaultThrottles } from '../functions/throttles.ts'
import { peakFactor, profile, waitMs } from './assumptions.ts'
import { billedMs, healthWriteUnits, type MinuteRow, mostWithin, type Sample } from './bill.ts'
import { quotas } from './quotas.ts'
import type { StageResources } from './stage-resources.ts'
import type { StepName } from './steps.ts'

export interface Findings {
  samples: ReadonlyMap<StepName, Sample>
  chain: ChainRate
  minuteRow: MinuteRow
  resources: StageResources
}

/** Write units of the chain's head, whose row is below 1 KB, in a transaction. */
const headWriteUnits = 2
const batchTargets = 100
/** More organizations than one need think of. */
const farAway = 1_000_000
/** The most that the guard of outbound calls waits, in seconds. */
const outboundSeconds = 10
const secondsPerMonth = 30 * 86_400

const whole = (value: number): string => Math.floor(value).toLocaleString('en-US')
const row = (limit: string, quota: string, use: string, met: string): TableRow => ({ limit, quota, use, 'met at': met })

/** What one organization can meet by itself. */
export const limitsOfOneOrg = (findings: Findings): TableRow[] => [
  ...limitsOfChain(findings.chain),
  ...limitsOfKey(),
  ...limitsOfHealth(findings),
]

const writesOfRow = `${whole(quotas.partitionWriteUnits)} write units/s of a row`
const readsOfRow = `${whole(quotas.partitionReadUnits)} read units/s of a row`

function limitsOfChain({ writers, changesPerSecond, attemptsPerChange }: ChainRate): TableRow[] {
  const changeMs = waitMs.read + waitMs.transaction
  const here = `here ${whole(changesPerSecond)}/s with ${writers} writers, ${attemptsPerChange.toFixed(1)} attempts each`
  const ofUnits = `${whole(quotas.partitionWriteUnits / headWriteUnits)} changes/s`
  return [
    row(
      ...(['Audit chain: one change after another', 'its own'] as const),
      `a read and a transaction, ${changeMs} ms as assumed; ${here}`,
      `${whole(1000 / changeMs)} changes/s`,
    ),
    row('Audit chain: the row of its head', writesOfRow, `${headWriteUnits} a change`, ofUnits),
  ]
}

function limitsOfKey(): TableRow[] {
  const { partitionWriteUnits, partitionReadUnits } = quotas
  return [
    row(
      ...(['Rate counter of a principal', writesOfRow, '1 a request, until the limit is reached'] as const),
      `${whole(partitionWriteUnits)} requests/s with one key, ${whole(partitionWriteUnits * 4)} where it may make 100,000 a minute and is counted in 4 rows; beyond, a request waits up to 1 s for its counter and goes through uncounted`,
    ),
    row('Record of a key', readsOfRow, '1 a request', `${whole(partitionReadUnits)} requests/s with one key`),
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
      ...(['Health, read', readsOfRow.replace('row', 'partition'), `up to ${reading} with 200 targets`] as const),
      `${whole(partitionReadUnits / reading)} readings/s`,
    ),
    row(
      ...(['Health, several targets in a batch', 'their own'] as const),
      `a transaction, ${waitMs.transaction} ms as assumed; those on one row cancel each other`,
      `${whole(1000 / waitMs.transaction)} batches/s of the same target`,
    ),
    row(
      ...(['Health, the row of a minute', '400 KB an item'] as const),
      `${bytes} bytes a reporter`,
      `${reporters(itemBytes)} reporters of a target; the service stops at 200`,
    ),
    row(
      ...(['Health, the rows of a batch', '4 MB a transaction'] as const),
      `${batchTargets} rows, ${bytes} bytes a reporter`,
      `${reporters(ofBatch)} reporters of the same ${batchTargets} targets; the service stops at 200`,
    ),
  ]
}

const intervals = [60, 10]
const targetCounts = [1, 3, 10, 100]

/** How many reporters fill the health partition of an org. */
export function reportersOfOneOrg({ minuteRow }: Findings): TableRow[] {
  return targetCounts.map((targets) => ({
    'targets in a batch': String(targets),
    ...Object.fromEntries(
      intervals.map((seconds) => [
        `reporters, each every ${seconds} s`,
        whole(mostWithin(quotas.partitionWriteUnits, (count) => healthWriteUnits(minuteRow, count, targets, seconds))),
      ]),
    ),
  }))
}

/** What all organizations meet together, in organizations of the profile at the busiest hour. */
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
  { limit: 'EventBridge', quota: quotas.putEvents, unit: 'PutEvents/s', of: ({ events }) => events },
  {
    ...{ limit: `Stripe, one endpoint of ${quotas.stripeRequests}/s in all (estimate)`, unit: 'requests/s' },
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
    const orgs = quota / use > farAway ? 'not in sight' : `${whole(quota / use)} orgs`
    return row(limit, `${whole(quota)} ${unit}`, `${use.toPrecision(2)} an org`, orgs)
  })
}

function limitsOfCounts({ resources }: Findings): TableRow[] {
  const [[stack, count] = ['', Number.NaN]] = [...resources.stacks].sort(([, a], [, b]) => b - a)
  const routes = resources.types.get('AWS::ApiGatewayV2::Route') ?? 0
  const { concurrency, stackResources, sweepCustomersAnHour } = quotas
  return [
    row(
      ...(['Lambda, account, when a provider hangs', `${whole(concurrency)} at once`] as const),
      `a test waits ${outboundSeconds} s at most`,
      `${whole(concurrency / outboundSeconds)} tests/s`,
    ),
    row(
      ...(['Billing sweep (estimate)', `${sweepCustomersAnHour} customers an hour beside those that are due`] as const),
      'every customer once a day',
      `${whole(sweepCustomersAnHour * 24)} paying orgs`,
    ),
    row(
      ...(['CloudFormation', `${stackResources} resources a stack`] as const),
      `${count} in the largest, ${stack}`,
      `${(stackResources / count).toFixed(1)} times as many operations in one folder`,
    ),
    row('HTTP API', `${quotas.routes} routes`, `${routes} routes`, `${quotas.routes - routes} more operations`),
  ]
}
