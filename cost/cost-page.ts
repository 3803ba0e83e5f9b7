/** The page `docs/cost.md`, from what was measured, the assumptions and the prices. */

import { markdownTable, median, type TableRow } from '../bench/report.ts'
import { operationList, routeList } from '../functions/operations.ts'
import { defaultThrottles } from '../functions/throttles.ts'
import * as assumed from './assumptions.ts'
import { type Bill, billedMs, billOf, type Sample, sumOf, times, totalOf, type Usage, usageOf } from './bill.ts'
import { type Findings, limitsOfAll, limitsOfOneOrg, reportersOfOneOrg } from './limits.ts'
import { prices, pricesAsOf, services } from './prices.ts'
import { quotas } from './quotas.ts'
import { idleUsage } from './stage-resources.ts'
import type { StepName } from './steps.ts'

export interface CostReport extends Findings {
  /** Read units that a request needs more when a process remembers nothing of its key and org. */
  missedReadUnits: number
  /** Mean sizes of rows, by kind. */
  rowBytes: Record<'event' | 'record' | 'counter' | 'minute', number>
}

const million = 1_000_000
const orgCounts = [1, 1000, 100_000]
const daysOfMonth = 30

export const costPage = (report: CostReport): string => {
  const parts = [perMillion, usage, idleMonth, floods, firstUsers, options, byOrgs, limits, assumptions].map((part) =>
    part(report),
  )
  return `${[introduction, ...parts, priceList()].join('\n\n')}\n`
}

const introduction = `# What it costs

Written by \`npm run cost\`, which runs every kind of request through the real handlers and a real DynamoDB engine and multiplies
what it saw by the list prices of us-east-1. **Prices are as of ${pricesAsOf} and were copied by hand: check them before you rely
on a figure** (\`cost/prices.ts\`). What cannot be measured on one machine is assumed, and said at the end
(\`cost/assumptions.ts\`). No free tier, no discount for volume, no support plan, no tax.`

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
  const rows = [...samples].map(([name, sample]) => {
    const bill = billOf(times(usageOf(sample), million))
    return {
      'a million of': labelOf(name),
      ...Object.fromEntries(requestServices.map((service) => [service, dollars(bill[service] ?? 0)])),
      total: dollars(totalOf(bill)),
    }
  })
  return `## A million requests, in dollars

${markdownTable(rows)}

A refused request is not free: whoever sends a million keys that do not exist makes the first row.`
}

function usage({ samples, missedReadUnits }: CostReport): string {
  const rows = [...samples].map(([name, sample]) => ({
    request: labelOf(name),
    'read units': figure(sample.readUnits),
    'write units': figure(sample.writeUnits),
    'KMS calls': figure(sample.kmsCalls),
    'CPU ms': figure(sample.cpuMs),
    'waiting ms': figure(sample.waitMs),
    'billed ms': figure(billedMs(sample)),
    'log bytes': figure(sample.logBytes),
    'answer bytes': figure(sample.egressBytes),
  }))
  return `## What one request uses

${markdownTable(rows)}

Units are what the engine reports, by DynamoDB's rounding; every request with a key reads the key's record (1) and counts itself (1).
A process that has not seen the key, or not the organization in the last minute, reads ${figure(missedReadUnits)} units more; that is left out here
and counted for every request under "organizations". CPU is of this machine, waiting is assumed, and billed is both as below.`
}

function idleMonth({ resources }: CostReport): string {
  const rows = idleUsage(resources)
    .filter(([, count]) => count > 0)
    .map(([name, count, used]) => ({
      what: name,
      count: String(count),
      'dollars a month': dollars(totalOf(billOf(used))),
    }))
  const total = totalOf(billOf(fixedUsage(resources, { withTraffic: false })))
  return `## An idle month

A stage that nobody calls, with ${[...resources.types.values()].reduce((sum, count) => sum + count, 0)} resources in ${resources.stacks.size} stacks, as synthesized:

${markdownTable([...rows, { what: '**Total**', count: '', 'dollars a month': `**${dollars(total)}**` }])}

Functions, the API, the bus, rules, queues, the user pool and an on-demand table with point-in-time recovery cost nothing while nothing
is in them and nobody calls; the logs of an hourly sweep stay below a cent. The key's yearly rotation adds 1.00 a month in the second
year and again in the third. A domain and its certificate cost nothing here; a hosted zone of one's own is 0.50.`
}

const secondsOfHour = 3600

/** What a caller without any right can make a stage spend. */
function floods({ samples }: CostReport): string {
  const refused = samples.get('refused, unknown key')
  if (!refused) throw new Error('the refused request was not measured')
  const hour = (perSecond: number) => dollars(totalOf(billOf(times(usageOf(refused), perSecond * secondsOfHour))))
  const routes = routeList.filter(({ operation }) => operation.scope !== 'public').length
  const rows = Object.entries(defaultThrottles).map(([posture, { rateLimit }]) => ({
    stages: posture,
    'admitted a second and route': figure(rateLimit),
    'an hour on one route': hour(rateLimit),
    [`an hour on all ${routes}`]: hour(rateLimit * routes),
  }))
  const script = (bytes: number) =>
    dollars(totalOf(billOf({ cdnGb: (bytes * million) / 1024 ** 3, cdnRequests: million })))
  const { compressed, whole } = assumed.referenceScriptBytes
  return `## Floods

Requests with keys that do not exist, as many as API Gateway admits; what it refuses (429) costs nothing:

${markdownTable(rows)}

The account's own limit of ${figure(quotas.accountRequests)} requests a second comes before the last column is reached. \`monthly_budget_usd\` mails, and
\`front\` stops an address after ${figure(3000)} requests in five minutes.

The reference page is 0.6 KB from a function, and its script comes from CloudFront: a million first loads are ${script(compressed)} dollars, and
${script(whole)} for a client that takes no compression. Later loads come from the browser's cache.`
}

/** What differs while few people use a stage, in a new account. */
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
      [`a second, with ${assumed.newAccountConcurrency} at once`]: figure(
        Math.floor((assumed.newAccountConcurrency * 1000) / billedMs(sample)),
      ),
    }
  })
  return `## Few users, a new account

Each of ${operationList.length} operations is a function of its own, and a function that is seldom called starts cold: ${assumed.coldStartMs} ms more. A new account runs
${assumed.newAccountConcurrency} functions at once; beyond, API Gateway answers 503.

${markdownTable(rows)}`
}

/** What the options of `docs/deploying.md` add. */
function options(): string {
  const row = (option: string, month: Usage, beside: string) => ({
    option,
    'dollars a month': dollars(totalOf(billOf(month))),
    beside,
  })
  const front = sumOf([{ wafAclMonths: 1, wafRuleMonths: 2, secretMonths: 1 }])
  const perMillionFronted = dollars(totalOf(billOf({ wafRequests: million, cdnRequests: million })))
  const hoursOfMonth = 730
  const rows = [
    row('`front`', front, `${perMillionFronted} a million requests, ${dollars(prices.cdnGb.dollars)} a GB out`),
    row(
      '`vpc_id`, with one NAT gateway',
      { natHours: hoursOfMonth },
      `${prices.natGb.dollars} a GB through it; a second zone doubles it`,
    ),
    row(
      '`backup_copy_vault_arn`, a table of 1 GB',
      { copiedGbMonths: 2 * 35, copiedGb: daysOfMonth },
      'each of 35 backups is whole, here and in the copy',
    ),
    row('a replica of the key', { keyMonths: 1 }, ''),
    row('`stripe_secret_arn`', { secretMonths: 1 }, 'the empty secret of the stage stays beside it'),
    row('`monthly_budget_usd`, `key_admin_role_arn`', {}, ''),
  ]
  return `## Options

${markdownTable(rows, 3)}`
}

function fixedUsage(resources: CostReport['resources'], { withTraffic }: { withTraffic: boolean }): Usage {
  const idle = idleUsage(resources).map(([, , used]) => used)
  return sumOf(withTraffic ? [...idle, { metricMonths: assumed.customMetrics }] : idle)
}

/** What a request of an org uses, when the process remembers nothing of the org. */
const unremembered = (sample: Sample, missed: number): Usage =>
  sumOf([usageOf(sample), { readUnits: sample.apiRequests * missed }])

function usageOfOneOrg(report: CostReport): { byKind: Map<StepName, Usage>; storage: Usage; people: Usage } {
  const byKind = new Map<StepName, Usage>()
  for (const [name, count] of Object.entries(assumed.profile.each) as [StepName, number][]) {
    const sample = report.samples.get(name)
    if (sample) byKind.set(name, times(unremembered(sample, report.missedReadUnits), count))
  }
  const gb = bytesOfOneOrg(report) / 1024 ** 3
  return {
    byKind,
    storage: { tableGbMonths: gb, backupGbMonths: gb },
    people: { signedInUsers: assumed.profile.users },
  }
}

const changing: readonly StepName[] = [
  ...(['create', 'connect a provider', 'update', 'delete', 'test a connection', 'webhook and projection'] as const),
]

/** What an org keeps in the table once its oldest events begin to expire. */
function bytesOfOneOrg({ rowBytes }: CostReport): number {
  const { each, records, counters, minuteRows } = assumed.profile
  const changes = changing.reduce((sum, name) => sum + (each[name] ?? 0), 0)
  const expired = (rowsOfMonth: number) => (rowsOfMonth * assumed.expiredRowDays) / daysOfMonth
  return (
    changes * assumed.auditRetentionMonths * rowBytes.event +
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
    'share of the last': share(largest[service] ?? 0, totalOf(largest)),
  }))
  const totals = bills.map(totalOf)
  rows.push({
    'dollars a month': '**Total**',
    ...head(totals.map((total) => `**${dollars(total)}**`)),
    'share of the last': '',
  })
  rows.push({
    'dollars a month': 'Each org',
    ...head(totals.map((total, index) => (total / (orgCounts[index] ?? 1)).toFixed(2))),
    'share of the last': '',
  })
  return `## Where the money goes, by organizations

The mean organization in a month: ${assumed.profile.note}

${markdownTable(rows)}

The same, of one organization, by what it does:

${markdownTable(byKindRows(report, byKind, storage, people, totalOf(billOf(ofOne))))}

Reports are what it costs: a batch is one transaction, in which each target's row is billed twice, and every request, small or large,
pays for the API, the function and its log. Reporting half as often costs half.`
}

function byKindRows(
  report: CostReport,
  byKind: ReadonlyMap<StepName, Usage>,
  storage: Usage,
  people: Usage,
  total: number,
): TableRow[] {
  const line = (name: string, count: string, bill: Bill) => ({
    what: name,
    'times a month': count,
    'dollars a month': totalOf(bill).toFixed(4),
    share: share(totalOf(bill), total),
  })
  const megabytes = bytesOfOneOrg(report) / 1024 ** 2
  return [
    ...[...byKind].map(([name, used]) => line(labelOf(name), figure(assumed.profile.each[name] ?? 0), billOf(used))),
    line('rows in the table, with recovery', `${figure(megabytes)} MB`, billOf(storage)),
    line(
      'people who sign in with Cognito; none with an issuer of one’s own',
      figure(assumed.profile.users),
      billOf(people),
    ),
  ]
}

const limits = (report: CostReport): string => `## Limits on the way

What one organization can meet by itself. A limit of a row or a partition is not raised by anybody, and a partition that grows at its end
(minutes, events) is not split by heat either:

${markdownTable(limitsOfOneOrg(report), 4)}

Reporters that fill the health partition of one organization (${figure(1000)} write units a second), when all report on the same targets; each
writes the whole row of the target's minute, which grows with the reporters:

${markdownTable(reportersOfOneOrg(report))}

What all organizations meet together, when each is as above and the busiest hour brings ${assumed.peakFactor} times the mean. Most of these are
raised on request:

${markdownTable(limitsOfAll(report), 4)}`

function assumptions({ resources, rowBytes }: CostReport): string {
  const { waitMs } = assumed
  const kib = (bytes: number) => figure(Math.round(bytes / 1024))
  return `## Assumed

- **Duration.** A function of ${figure(assumed.memoryMb)} MB has ${(assumed.memoryMb / assumed.memoryOfOneVcpuMb).toFixed(2)} of a vCPU, so its CPU time here is multiplied by ${(assumed.memoryOfOneVcpuMb / assumed.memoryMb).toFixed(2)}; a core of
  Lambda's ARM machines is taken to be as fast as one of this machine. A call is waited for ${waitMs.read} ms (read), ${waitMs.write} ms (write), ${waitMs.transaction} ms
  (transaction), ${waitMs.kms} ms (KMS), ${waitMs.provider} ms (a provider); calls side by side are waited for once.
- **Cold starts.** ${share(assumed.coldStartShare, 1)} of the requests, ${assumed.coldStartMs} ms each, billed. Bundles here: ${kib(median([...resources.bundleBytes]))} KiB in the median, ${kib(Math.max(...resources.bundleBytes))} KiB the largest.
- **Logs.** Lambda's and the API's own lines ${assumed.platformLogBytes} bytes a request, kept ${assumed.logRetentionMonths} months, compressed to ${share(assumed.logCompression, 1)}; a request pays at once for
  all the months that its log is kept.
- **Rows.** Measured: an event ${figure(Math.round(rowBytes.event))} bytes, a record ${figure(Math.round(rowBytes.record))}, a rate counter ${figure(Math.round(rowBytes.counter))}, a minute of a target ${figure(Math.round(rowBytes.minute))}. Expired rows take room for ${assumed.expiredRowDays} days.
- **Custom metrics.** ${assumed.customMetrics}, with traffic.
- **Estimates** are of what is not run here: ${Object.keys(assumed.estimates).join(', ')}.`
}

/** The prices that the figures were computed with. */
export const priceList = (): string => `## Prices

${markdownTable(
  Object.values(prices).map(({ service, dollars: amount, per, unit, page, beside }) => ({
    service,
    dollars: String(amount),
    for: `${figure(per)} ${unit}`,
    beside: beside || '–',
    page: `<https://aws.amazon.com/${page}>`,
  })),
  5,
)}`
