/** Converts the measured usage of a request into dollars. Arithmetic only. */
import {
  coldStartMs,
  coldStartShare,
  logCompression,
  logRetentionMonths,
  memoryMb,
  memoryOfOneVcpuMb,
} from './assumptions.ts'
import { type PriceName, prices, type Service } from './prices.ts'

/** Billed resources that one request uses. */
export interface Sample {
  apiRequests: number
  invocations: number
  readUnits: number
  writeUnits: number
  kmsCalls: number
  /** Calls with the asymmetric key. */
  signatures: number
  /** CPU time of one core, summed over all invocations. */
  cpuMs: number
  /** Time that the request waits for other services. */
  waitMs: number
  logBytes: number
  egressBytes: number
  /** Events that it puts on a bus, and the bytes of each. */
  events: number
  eventBytes: number
  /** Requests of a queue: to send, receive and delete messages. */
  queueRequests: number
}

/** Quantities in the units of the price list. */
export type Usage = Partial<Record<PriceName, number>>
export type Bill = Partial<Record<Service, number>>

const bytesPerGb = 1024 ** 3

/** Milliseconds that Lambda bills for a warm request. A share of a vCPU stretches CPU time, but not waiting. */
export const billedMs = ({ cpuMs, waitMs }: Pick<Sample, 'cpuMs' | 'waitMs'>): number =>
  Math.ceil(cpuMs * Math.max(1, memoryOfOneVcpuMb / memoryMb) + waitMs)

export function usageOf(sample: Sample): Usage {
  const { invocations, logBytes, events, eventBytes } = sample
  const billedSeconds = (billedMs(sample) + invocations * coldStartShare * coldStartMs) / 1000
  const logGb = logBytes / bytesPerGb
  const archiveGb = (events * eventBytes) / bytesPerGb
  return {
    apiRequests: sample.apiRequests,
    lambdaRequests: invocations,
    lambdaGbSeconds: (billedSeconds * memoryMb) / 1024,
    readUnits: sample.readUnits,
    writeUnits: sample.writeUnits,
    kmsCalls: sample.kmsCalls,
    signatures: sample.signatures,
    logGb,
    logGbMonths: logGb * logCompression * logRetentionMonths,
    egressGb: sample.egressBytes / bytesPerGb,
    events,
    archiveGb,
    archiveGbMonths: archiveGb,
    queueRequests: sample.queueRequests,
  }
}

export function times(usage: Usage, factor: number): Usage {
  return Object.fromEntries(Object.entries(usage).map(([name, quantity]) => [name, quantity * factor]))
}

export function sumOf(usages: readonly Usage[]): Usage {
  const sum: Usage = {}
  for (const usage of usages)
    for (const [name, quantity] of Object.entries(usage) as [PriceName, number][])
      sum[name] = (sum[name] ?? 0) + quantity
  return sum
}

/** Dollars by service. */
export function billOf(usage: Usage): Bill {
  const bill: Bill = {}
  for (const [name, quantity] of Object.entries(usage) as [PriceName, number][]) {
    const { service, dollars, per } = prices[name]
    bill[service] = (bill[service] ?? 0) + (quantity * dollars) / per
  }
  return bill
}

export const totalOf = (bill: Bill): number => Object.values(bill).reduce((sum, dollars) => sum + dollars, 0)

export interface MinuteRow {
  baseBytes: number
  bytesPerReporter: number
}

const unitBytes = 1024

/** Write units per second in an org's health partition, when each reporter sends a batch of all targets per interval. */
export function healthWriteUnits(row: MinuteRow, reporters: number, targets: number, intervalSeconds: number): number {
  const unitsOfRow = Math.ceil((row.baseBytes + reporters * row.bytesPerReporter) / unitBytes)
  // A report of one target is an update. A report of several targets is a transaction, which DynamoDB bills twice.
  const unitsOfReport = targets === 1 ? unitsOfRow : 2 * targets * unitsOfRow
  return (reporters / intervalSeconds) * unitsOfReport
}

/** The largest count for which `grows(count)` is within `limit`. `grows` must be monotonic. */
export function maxWithin(limit: number, grows: (count: number) => number, ceiling = 1_000_000): number {
  let [within, beyond] = [0, ceiling]
  while (beyond - within > 1) {
    const middle = Math.floor((within + beyond) / 2)
    if (grows(middle) <= limit) within = middle
    else beyond = middle
  }
  return within
}
