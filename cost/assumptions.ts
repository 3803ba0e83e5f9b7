/** What cannot be measured on one machine, and what was decided: change it here, and `npm run cost` computes anew. */
import type { Sample } from './bill.ts'
import type { StepName } from './steps.ts'

/** The functions' memory, as `lib/service-function.ts` has it, and what Lambda gives of a vCPU for it. */
export const memoryMb = 1024
export const memoryOfOneVcpuMb = 1769

/** How long a call is waited for in one region, in milliseconds: what AWS shows of its own services, not a measurement. */
export const waitMs = {
  read: 4,
  write: 6,
  transaction: 20,
  kms: 8,
  /** A provider's list of models. */
  provider: 300,
}

/** A request in so many finds no warm instance; initialization is billed too. */
export const coldStartShare = 0.01
export const coldStartMs = 350

/** Shares of cold starts in a stage with few users: most of its functions are cold when they are called. */
export const coldStartShares = [0.01, 0.2, 1]
/** What a new account may run at once. */
export const newAccountConcurrency = 10
/** The script of the reference as a browser gets it (Brotli), and without compression, in bytes. */
export const referenceScriptBytes = { compressed: 905_785, whole: 3_567_391 }

/** Lambda's own lines of a request (START, END, REPORT) and the API's access log, in bytes. */
export const platformLogBytes = 650
/** What CloudWatch adds to every line of a log. */
export const logLineOverheadBytes = 26

/** Time to live deletes within days; until then expired rows take room. */
export const expiredRowDays = 2
/** `audit_retention_days`, as organizations begin. */
export const auditRetentionMonths = 12
/** How long logs are kept in `prod`, and what compression leaves of them. */
export const logRetentionMonths = 12
export const logCompression = 0.15

/** How much more than the mean the busiest hour brings. */
export const peakFactor = 3
/** Custom metrics that the service emits, of all names and dimensions. */
export const customMetrics = 20

/** What the mean organization does in a month of 30 days. */
export const profile: {
  note: string
  each: Partial<Record<StepName, number>>
  /** Rows that stay: keys, targets, connections, settings. */
  records: number
  /** Rows of rate counters and of health that a month makes, and that expire. */
  counters: number
  minuteRows: number
  /** Who sign in. */
  users: number
} = {
  note: 'One inference server with 3 targets, which reports once a minute and reads its targets every 5 minutes; a dashboard that is open for an hour a day and asks for health every 30 s; a few people who change little.',
  each: {
    'report, 3 targets': 30 * 24 * 60,
    'read execution, 3 targets': 30 * 24 * 12,
    'health, 3 targets': 30 * 120,
    'read one': 600,
    'list, a page of 50': 300,
    create: 10,
    'connect a provider': 1,
    update: 20,
    delete: 5,
    'test a connection': 30,
    'webhook and projection': 6,
  },
  records: 25,
  counters: 30 * (24 * 60 + 60),
  minuteRows: 30 * 24 * 60 * 3,
  users: 3,
}

/**
 * Of what cannot be run here yet. The webhook puts the event on the bus; the projector reads whose it is and whether it is
 * done, takes and frees a lease, takes a number, asks Stripe (with its secret remembered), reads what is stored and
 * commits it with its event.
 */
export const estimates = {
  'webhook and projection': {
    apiRequests: 1,
    invocations: 2,
    events: 1,
    eventBytes: 4000,
    readUnits: 6,
    writeUnits: 12,
    kmsCalls: 0,
    cpuMs: 12,
    waitMs: 650,
    logBytes: 2500,
    egressBytes: 2000,
  },
} satisfies Record<string, Sample>
