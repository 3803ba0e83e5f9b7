/** Builds the page `docs/cost.md` from measurements, assumptions and prices. */

import { markdownTable, median, type TableRow } from '../bench/report.ts'
import { operationList, routeList } from '../functions/operations.ts'
import { defaultThrottles } from '../functions/throttles.ts'
import * as assumed from './assumptions.ts'
import { type Bill, billedMs, billOf, type Sample, sumOf, times, totalOf, type Usage, usageOf } from './bill.ts'
import { deliveryNames } from './delivery.ts'
import { type Findings, limitsOfAll, limitsOfOneOrg, reportersOfOneOrg } from './limits.ts'
import { prices, pricesAsOf, services } from './prices.ts'
import { quotas } from './quotas.ts'
import { idleUsage } from './stage-resources.ts'
import type { StepName } from './steps.ts'

export interface CostReport extends Findings {
  /** Extra read units of a request when the process has not cached its key and org. */
  missedReadUnits: number
  /** Mean sizes of rows, by kind. */
  rowBytes: Record<'event' | 'block' | 'checkpoint' | 'record' | 'counter' | 'minute', number>
}

const million = 1_000_000
const orgCounts = [1, 1000, 100_000]
const daysOfMonth = 30

export const costPage = (report: CostReport): string => {
  const parts = [
    perMillion,
    records,
    deliveries,
    usage,
    idleMonth,
    floods,
    firstUsers,
    options,
    byOrgs,
    limits,
    assumptions,
  ].map((part) => part(report))
  return `${[introduction, ...parts, priceList()].join('\n\n')}\n`
}

const introduction = `# Cost

Written by \`npm run cost\`. It runs each kind of request through the real handlers and a real DynamoDB engine. It multiplies the
measured usage by the list prices of us-east-1. **Prices are as of ${pricesAsOf}, copied by hand: check them before you rely on
a figure** (\`cost/prices.ts\`). One machine cannot measure everything: the last sections list the assumptions
(\`cost/assumptions.ts\`). The figures contain no free tier, no volume discount, no support plan and no tax.`

function dollars(value: number): string {
  if (value === 0) return '0'
  if (value < 0.005) return '<0.01'
  return value.toLocaleString('en-US', {
    minimumFractionDigits: value < 1000 ? 2 : 0,
    maximumFractionDigits: value < 1000 ? 2 : 0,
  })
}

const figure = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 1 })
const share = (part: number, whole: number): string => `${Math.round((100 * part) / whole)} %`
const labelOf = (name: string): string => (name in assumed.estimates ? `${name} (estimate)` : name)

const requestServices = services.filter((service) => service !== 'Monitoring' && service !== 'Other')

function perMillion({ samples }: CostReport): string {
  const rows = [...samples]
    .filter(([name]) => !deliveryNames.some((each) => each === name))
    .map(([name, sample]) => billRow(labelOf(name), usageOf(sample)))
  return `## Cost of a million requests, in dollars

${markdownTable(rows)}

A refused request is not free: the first row is a million requests with unknown keys.`
}

/** The cost of a million, of what one costs. */
function billRow(name: string, ofOne: Usage): TableRow {
  const bill = billOf(times(ofOne, million))
  return {
    'a million of': name,
    ...Object.fromEntries(requestServices.map((service) => [service, dollars(bill[service] ?? 0)])),
    total: dollars(totalOf(bill)),
  }
}

function ofOneThing({ samples }: CostReport, name: StepName, things = 1): Usage {
  const sample = samples.get(name)
  if (!sample) throw new Error(`${name} was not measured`)
  return times(usageOf(sample), 1 / things)
}

const records = (report: CostReport): string => `## Cost of a million usage records, in dollars

${markdownTable([
  billRow('records, sent singly', ofOneThing(report, 'usage, 1 record')),
  billRow('records, in batches of 100', ofOneThing(report, 'usage, 100 records', 100)),
])}

Records without ids. An id is a row of its own, and makes the write a transaction.`

function deliveries(report: CostReport): string {
  const { routedAtOnce, sentAtOnce, waitMs } = assumed
  const alone = [ofOneThing(report, 'route an event'), ofOneThing(report, 'send an event')]
  const together = [
    ofOneThing(report, `route ${routedAtOnce} events`, routedAtOnce),
    ofOneThing(report, `send ${sentAtOnce} events`, sentAtOnce),
  ]
  const rowsOf = ([route = {}, send = {}]: readonly Usage[], how: string) => [
    billRow(`events routed, ${how}`, route),
    billRow(`events sent, ${how}`, send),
    billRow(`**events delivered, ${how}**`, sumOf([route, send])),
  ]
  return `## Cost of a million events delivered to one integration, in dollars

${markdownTable([...rowsOf(alone, 'one at a time'), ...rowsOf(together, 'in full batches')])}

A webhook that takes each event at its first attempt, after ${waitMs.receiver} ms (assumed). The router gets up to ${routedAtOnce} events of the table's stream
in an invocation, the sender up to ${sentAtOnce} messages; with little traffic each comes alone. An event costs a message that is sent, received
and deleted, a row for its delivery, and the decryption of each secret. The table deletes the row after 30 days without write units,
and the filters of the stream's readers drop that record. Another attempt costs about as much as the first.`
}

function usage({ samples, missedReadUnits }: CostReport): string {
  const rows = [...samples].map(([name, sample]) => ({
    request: labelOf(name),
    'read units': figure(sample.readUnits),
    'write units': figure(sample.writeUnits),
    'KMS calls': figure(sample.kmsCalls + sample.signatures),
    'CPU ms': figure(sample.cpuMs),
    'waiting ms': figure(sample.waitMs),
    'billed ms': figure(billedMs(sample)),
    'log bytes': figure(sample.logBytes),
    'answer bytes': figure(sample.egressBytes),
  }))
  return `## Usage of one request

${markdownTable(rows)}

The engine reports units with DynamoDB's rounding; the table has means of a caller that sends one request after another. Each
request with a key reads the key's record (1) and counts against its rate limit. A process that has not cached the key, or the
organization in the last minute, reads ${figure(missedReadUnits)} units more. This table leaves them out; the table by
organizations counts them for every request. CPU time is measured on this machine, waiting is assumed, and "Assumptions" below
explains how both become billed time.

The sealer is a function that the table's stream starts. Lambda's reads of a stream cost nothing, and records other than new events
are filtered before they start it. For an event in a block of its own it writes three rows: the block, the number of the event, and
the head. Events that arrive together share a block and its head. It signs a chain at most once per hour and organization.`
}

function idleMonth({ resources }: CostReport): string {
  const rows = idleUsage(resources)
    .filter(([, count]) => count > 0)
    .map(([name, count, used]) => ({
      resource: name,
      count: String(count),
      'dollars a month': dollars(totalOf(billOf(used))),
    }))
  const total = totalOf(billOf(fixedUsage(resources, { withTraffic: false })))
  return `## An idle month

A stage without requests, with ${[...resources.types.values()].reduce((sum, count) => sum + count, 0)} resources in ${resources.stacks.size} stacks, as synthesized:

${markdownTable([...rows, { resource: '**Total**', count: '', 'dollars a month': `**${dollars(total)}**` }])}

Functions, the API, the bus, rules, the other queues, the user pool and an empty on-demand table with point-in-time recovery cost nothing
without requests. Lambda asks an empty queue for messages about every 4 seconds (assumed). The logs of the hourly sweep cost less than
a cent. The yearly rotation of the key for secrets adds 1.00 a month in the second year and again in the third; the key that signs
audit trails does not rotate. A domain and its certificate add nothing; a new hosted zone costs 0.50 a month.`
}

const secondsOfHour = 3600

/** Cost that a caller without credentials can cause. */
function floods({ samples }: CostReport): string {
  const refused = samples.get('refused, unknown key')
  if (!refused) throw new Error('the refused request was not measured')
  const hour = (perSecond: number) => dollars(totalOf(billOf(times(usageOf(refused), perSecond * secondsOfHour))))
  const routes = routeList.filter(({ operation }) => operation.scope !== 'public').length
  const rows = Object.entries(defaultThrottles).map(([posture, { rateLimit }]) => ({
    stages: posture,
    'admitted per second and route': figure(rateLimit),
    'dollars an hour, one route': hour(rateLimit),
    [`dollars an hour, all ${routes} routes`]: hour(rateLimit * routes),
  }))
  const script = (bytes: number) =>
    dollars(totalOf(billOf({ cdnGb: (bytes * million) / 1024 ** 3, cdnRequests: million })))
  const { compressed, whole } = assumed.referenceScriptBytes
  return `## Floods

Requests with unknown keys, as many as API Gateway admits. Requests that it refuses (429) cost nothing:

${markdownTable(rows)}

The account's limit of ${figure(quotas.accountRequests)} requests a second is lower than the last column assumes. \`monthly_budget_usd\` sends a mail, and
\`front\` blocks an address after ${figure(3000)} requests in five minutes.

The reference page is 0.6 KB from a function, and CloudFront serves its script. A million first loads cost ${script(compressed)} dollars, or
${script(whole)} for clients without compression. Later loads come from the browser's cache.`
}

/** The cost of cold starts while few people use a stage, and the limits of a new account. */
function firstUsers({ samples }: CostReport): string {
  const names = ['read one', 'create', 'test a connection'] as const
  const rows = names.map((name) => {
    const sample = samples.get(name)
    if (!sample) throw new Error(`${name} was not measured`)
    const cold = (share: number) => ({
      lambdaGbSeconds: ((assumed.coldStartMs / 1000) * assumed.memoryMb * share) / 1024,
    })
    const warm = sumOf([usageOf(sample), times(cold(assumed.coldStartShare), -1)])
    return {
      'a million of': name,
      ...Object.fromEntries(
        assumed.coldStartShares.map((each) => [
          `${share(each, 1)} cold`,
          dollars(totalOf(billOf(times(sumOf([warm, cold(each)]), million)))),
        ]),
      ),
      [`max per second, ${assumed.newAccountConcurrency} at once`]: figure(
        Math.floor((assumed.newAccountConcurrency * 1000) / billedMs(sample)),
      ),
    }
  })
  return `## Few users in a new account

Each of the ${operationList.length} operations is a separate function. A function with few requests starts cold, which adds ${assumed.coldStartMs} ms. A new account
runs ${assumed.newAccountConcurrency} functions at once; above that, API Gateway answers 503.

${markdownTable(rows)}`
}

/** The cost of each option of `docs/deploying.md`. */
function options(): string {
  const row = (option: string, month: Usage, note: string) => ({
    option,
    'dollars a month': dollars(totalOf(billOf(month))),
    note,
  })
  const front = sumOf([{ wafAclMonths: 1, wafRuleMonths: 2, secretMonths: 1 }])
  const perMillionFronted = dollars(totalOf(billOf({ wafRequests: million, cdnRequests: million })))
  const hoursOfMonth = 730
  const rows = [
    row('`front`', front, `${perMillionFronted} per million requests, ${dollars(prices.cdnGb.dollars)} a GB out`),
    row(
      '`vpc_id`, with one NAT gateway',
      { natHours: hoursOfMonth },
      `${prices.natGb.dollars} a GB through it; a second zone doubles it`,
    ),
    row(
      '`backup_copy_vault_arn`, a table of 1 GB',
      { copiedGbMonths: 2 * 35, copiedGb: daysOfMonth },
      'each of the 35 backups is complete, here and in the copy',
    ),
    row('a replica of the key', { keyMonths: 1 }, ''),
    row('`stripe_secret_arn`', { secretMonths: 1 }, 'the stage keeps its empty secret too'),
    row('`monthly_budget_usd`, `key_admin_role_arn`', {}, ''),
  ]
  return `## Options

${markdownTable(rows, 3)}`
}

function fixedUsage(resources: CostReport['resources'], { withTraffic }: { withTraffic: boolean }): Usage {
  const idle = idleUsage(resources).map(([, , used]) => used)
  return sumOf(withTraffic ? [...idle, { metricMonths: assumed.customMetrics }] : idle)
}

/** Usage of a request when the process has not cached the org. */
const uncached = (sample: Sample, missed: number): Usage =>
  sumOf([usageOf(sample), { readUnits: sample.apiRequests * missed }])

function usageOfOneOrg(report: CostReport): { byKind: Map<StepName, Usage>; storage: Usage; people: Usage } {
  const byKind = new Map<StepName, Usage>()
  for (const [name, count] of Object.entries(assumed.profile.each) as [StepName, number][]) {
    const sample = report.samples.get(name)
    if (sample) byKind.set(name, times(uncached(sample, report.missedReadUnits), count))
  }
  const gb = bytesOfOneOrg(report) / 1024 ** 3
  return {
    byKind,
    storage: { tableGbMonths: gb, backupGbMonths: gb },
    people: { signedInUsers: assumed.profile.users },
  }
}

/** Bytes of an org's rows in the table, once its oldest events begin to expire. */
function bytesOfOneOrg({ rowBytes }: CostReport): number {
  const { each, records, counters, minuteRows } = assumed.profile
  const checkpoints = each['sign a chain'] ?? 0
  const expired = (rowsOfMonth: number) => (rowsOfMonth * assumed.expiredRowDays) / daysOfMonth
  return (
    (assumed.changesAMonth * (rowBytes.event + rowBytes.block) + checkpoints * rowBytes.checkpoint) *
      assumed.auditRetentionMonths +
    records * rowBytes.record +
    expired(counters) * rowBytes.counter +
    expired(minuteRows) * rowBytes.minute
  )
}

function byOrgs(report: CostReport): string {
  const { byKind, storage, people } = usageOfOneOrg(report)
  const ofOne = sumOf([...byKind.values(), storage, people])
  const fixed = fixedUsage(report.resources, { withTraffic: true })
  const bills = orgCounts.map((count) => billOf(sumOf([fixed, times(ofOne, count)])))
  const head = (cells: readonly string[]) =>
    Object.fromEntries(
      orgCounts.map((count, index) => [count === 1 ? '1 org' : `${figure(count)} orgs`, cells[index] ?? '']),
    )
  const largest = bills.at(-1) ?? {}
  const rows: TableRow[] = services.map((service) => ({
    'dollars a month': service === 'Other' ? 'Secrets, sign-in' : service,
    ...head(bills.map((bill) => dollars(bill[service] ?? 0))),
    'share of the largest': share(largest[service] ?? 0, totalOf(largest)),
  }))
  const totals = bills.map(totalOf)
  rows.push({
    'dollars a month': '**Total**',
    ...head(totals.map((total) => `**${dollars(total)}**`)),
    'share of the largest': '',
  })
  rows.push({
    'dollars a month': 'Each org',
    ...head(totals.map((total, index) => (total / (orgCounts[index] ?? 1)).toFixed(2))),
    'share of the largest': '',
  })
  return `## Monthly cost by number of organizations

Assumed usage of one organization: ${assumed.profile.note}

${markdownTable(rows)}

One organization, by activity:

${markdownTable(byKindRows(report, byKind, storage, people, totalOf(billOf(ofOne))))}

Reports dominate the cost. A batch is one transaction, and DynamoDB bills each target's row twice. Each request also pays for the
API, the function and its log. Reporting half as often halves this cost.`
}

function byKindRows(
  report: CostReport,
  byKind: ReadonlyMap<StepName, Usage>,
  storage: Usage,
  people: Usage,
  total: number,
): TableRow[] {
  const line = (name: string, count: string, bill: Bill) => ({
    activity: name,
    'times a month': count,
    'dollars a month': totalOf(bill).toFixed(4),
    share: share(totalOf(bill), total),
  })
  const megabytes = bytesOfOneOrg(report) / 1024 ** 2
  return [
    ...[...byKind].map(([name, used]) => line(labelOf(name), figure(assumed.profile.each[name] ?? 0), billOf(used))),
    line('rows in the table, with recovery', `${figure(megabytes)} MB`, billOf(storage)),
    line('users who sign in with Cognito; 0 with another issuer', figure(assumed.profile.users), billOf(people)),
  ]
}

const limits = (report: CostReport): string => `## Limits

Limits that one organization can reach alone. AWS does not raise limits of a row or a partition. DynamoDB does not split a
partition that grows at its end (minutes, events):

${markdownTable(limitsOfOneOrg(report), 4)}

Number of reporters that fill the health partition of one organization (${figure(1000)} write units a second), when all report the same
targets. Each report writes the whole row of the target's minute, and that row grows with the number of reporters:

${markdownTable(reportersOfOneOrg(report))}

Limits that all organizations reach together, with the usage above and ${assumed.peakFactor} times the mean load in the busiest hour. AWS raises most
of them on request:

${markdownTable(limitsOfAll(report), 4)}`

function assumptions({ resources, rowBytes }: CostReport): string {
  const { waitMs } = assumed
  const kib = (bytes: number) => figure(Math.round(bytes / 1024))
  return `## Assumptions

- **Duration.** A function of ${figure(assumed.memoryMb)} MB has ${(assumed.memoryMb / assumed.memoryOfOneVcpuMb).toFixed(2)} of a vCPU, so measured CPU time is multiplied by ${(assumed.memoryOfOneVcpuMb / assumed.memoryMb).toFixed(2)}. A
  core of Lambda's ARM machines is assumed to be as fast as a core of this machine. Latency of a call: ${waitMs.read} ms (read), ${waitMs.write} ms
  (write), ${waitMs.transaction} ms (transaction), ${waitMs.kms} ms (KMS), ${waitMs.signature} ms (a signature), ${waitMs.provider} ms (a provider),
  ${waitMs.queue} ms (a message to a queue), ${waitMs.receiver} ms (the endpoint of an integration). Parallel calls count once.
- **Cold starts.** ${share(assumed.coldStartShare, 1)} of the requests, ${assumed.coldStartMs} ms each, billed. Bundle size: median ${kib(median([...resources.bundleBytes]))} KiB, maximum ${kib(Math.max(...resources.bundleBytes))} KiB.
- **Logs.** Lambda and the API write ${assumed.platformLogBytes} bytes per request. Logs are kept ${assumed.logRetentionMonths} months, compressed to ${share(assumed.logCompression, 1)}; a request's
  cost includes all months of its log.
- **Rows.** Measured mean sizes: event ${figure(Math.round(rowBytes.event))} bytes, block of one event ${figure(Math.round(rowBytes.block))},
  checkpoint ${figure(Math.round(rowBytes.checkpoint))}, record ${figure(Math.round(rowBytes.record))}, rate counter ${figure(Math.round(rowBytes.counter))}, minute of a target ${figure(Math.round(rowBytes.minute))}. Expired rows take up
  storage for ${assumed.expiredRowDays} days.
- **Custom metrics.** ${assumed.customMetrics}, in a stage with requests.
- **Estimates.** Not measured: ${Object.keys(assumed.estimates).join(', ')}.`
}

/** The prices behind the figures. */
export const priceList = (): string => `## Prices

${markdownTable(
  Object.values(prices).map(({ service, dollars: amount, per, unit, page, note }) => ({
    service,
    dollars: String(amount),
    for: `${figure(per)} ${unit}`,
    note: note || '–',
    page: `<https://aws.amazon.com/${page}>`,
  })),
  5,
)}`
