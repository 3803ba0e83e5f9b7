/** Assumptions and decisions that one machine cannot measure. Change them here; `npm run cost` computes the page again. */
import type { Sample } from './bill.ts'
import type { StepName } from './steps.ts'

/** The functions' memory (see `lib/service-function.ts`), and the memory for which Lambda gives one vCPU. */
export const memoryMb = 1024
export const memoryOfOneVcpuMb = 1769

/** Assumed latency of a call within one region, in milliseconds. From AWS's published figures, not measured. */
export const waitMs = {
  read: 4,
  write: 6,
  transaction: 20,
  kms: 8,
  /** A signature with an asymmetric key. */
  signature: 15,
  /** A provider's list of models. */
  provider: 300,
  /** A message that is put into a queue. */
  queue: 8,
  /** The endpoint of an integration. */
  receiver: 200,
}

/** Maximum of events in a batch of the router and of the sender (see `lib/delivery-stack.ts`). */
export const routedAtOnce = 100
export const sentAtOnce = 10
/** Deliveries that the router stores and queues at once (see `shared/delivery/route.ts`). */
export const queuedAtOnce = 10
/** Lambda waits at an empty queue with 5 connections, for 20 seconds each. */
export const idleQueueRequestsAMonth = (5 * 30 * 86_400) / 20

/** The share of requests that find no warm instance. Lambda bills initialization too. */
export const coldStartShare = 0.01
export const coldStartMs = 350

/** Shares of cold starts in a stage with few users, where most functions are cold when a request arrives. */
export const coldStartShares = [0.01, 0.2, 1]
/** Concurrent executions of a new account. */
export const newAccountConcurrency = 10
/** Size of the reference page's script in bytes: as browsers receive it (Brotli), and without compression. */
export const referenceScriptBytes = { compressed: 905_785, whole: 3_567_391 }

/** Lambda's own lines of a request (START, END, REPORT) and the API's access log, in bytes. */
export const platformLogBytes = 650
/** Bytes that CloudWatch adds to each log line. */
export const logLineOverheadBytes = 26

/** DynamoDB deletes expired rows within days; until then they take up storage. */
export const expiredRowDays = 2
/** The default of `audit_retention_days`, in months. */
export const auditRetentionMonths = 12
/** Log retention in `prod`, and the size of logs after compression. */
export const logRetentionMonths = 12
export const logCompression = 0.15

/** Load of the busiest hour, relative to the mean. */
export const peakFactor = 3
/** Custom metrics that the service emits: all combinations of name and dimension. */
export const customMetrics = 20

/** Changes of the mean organization in a month. Each has an audit event. */
const changes = {
  create: 10,
  'connect a provider': 1,
  update: 20,
  delete: 5,
  'test a connection': 30,
  'webhook and projection': 6,
} satisfies Partial<Record<StepName, number>>
export const changesAMonth = Object.values(changes).reduce((sum, count) => sum + count, 0)

/** Requests and rows of the mean organization in a month of 30 days. */
export const profile: {
  note: string
  each: Partial<Record<StepName, number>>
  /** Rows that do not expire: keys, targets, connections, settings. */
  records: number
  /** Rows of one month that expire: rate counters, and minutes of health. */
  counters: number
  minuteRows: number
  /** Users who sign in. */
  users: number
} = {
  note: 'One inference server with 3 targets, which reports once a minute and reads its targets every 5 minutes. A dashboard that is open one hour a day and reads health every 30 s. A few people who change little.',
  each: {
    'report, 3 targets': 30 * 24 * 60,
    'read execution, 3 targets': 30 * 24 * 12,
    'health, 3 targets': 30 * 120,
    'read one': 600,
    'list, a page of 50': 300,
    ...changes,
    // People rarely change several things within a second, so each event has a block of its own.
    'seal an event': changesAMonth,
    // Of changes more than an hour apart, every second one finds a block that is unsigned for an hour.
    'sign a chain': changesAMonth / 2,
  },
  records: 25,
  counters: 30 * (24 * 60 + 60),
  minuteRows: 30 * 24 * 60 * 3,
  users: 3,
}

/**
 * Requests that this script cannot run. The webhook puts the event on the bus. The projector finds the organization, checks
 * that the event is new, acquires a lease and a sequence number, and asks Stripe (its secret is cached). Then it reads the
 * stored state, commits the new one with its audit event, and releases the lease.
 */
export const estimates = {
  'webhook and projection': {
    apiRequests: 1,
    invocations: 2,
    events: 1,
    eventBytes: 4000,
    queueRequests: 0,
    readUnits: 6,
    writeUnits: 10,
    kmsCalls: 0,
    signatures: 0,
    cpuMs: 12,
    waitMs: 650,
    logBytes: 2500,
    egressBytes: 2000,
  },
} satisfies Record<string, Sample>
