/**
 * EventBridge on loopback, as far as this service uses it: PutEvents with its limits, a bus with the projector's rule and AWS's
 * envelope, two retries, visible dead letters, and the schedule of the sweep.
 */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import * as z from 'zod'
import { webhookSource } from '../shared/stripe-events/event.ts'

export const eventsPath = '/local/events'
export const localBusName = 'octomil-settings-local'

/** Input of a rule's target. */
export interface Envelope {
  version: '0'
  id: string
  'detail-type': string
  source: string
  account: string
  time: string
  region: string
  resources: string[]
  detail: unknown
}

/** An event after its last attempt, in the form of Lambda's dead letters. */
export interface DeadLetter {
  timestamp: string
  requestContext: { condition: 'RetriesExhausted'; approximateInvokeCount: number }
  requestPayload: Envelope
  responsePayload: { errorType: string; errorMessage: string }
}

export interface EventBridgeOptions {
  /** Target of the rule. */
  project(envelope: Envelope): Promise<void>
  /** Target of the schedule. */
  sweep(): Promise<void>
  /** Pauses before the second and third attempt. AWS waits one and two minutes. */
  retryAfterMs?: readonly number[]
  /** Interval of the sweep. Default: no schedule. */
  sweepEveryMs?: number
}

export interface LocalEventBridge {
  deadLetters: readonly DeadLetter[]
  serves(path: string): boolean
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>
  /** Puts an event on the bus with any source, such as a partner's. */
  deliver(source: string, detailType: string, detail: unknown): Envelope
  /** Waits until every event is projected or a dead letter. */
  idle(): Promise<void>
  close(): Promise<void>
}

const defaultRetryAfterMs: readonly number[] = [1000, 2000]
const maxDeadLettersKept = 100

export function createEventBridge({ project, sweep, ...options }: EventBridgeOptions): LocalEventBridge {
  const deadLetters: DeadLetter[] = []
  const underWay = new Set<Promise<void>>()
  const closed = new AbortController()
  const attempts = { project, retryAfterMs: options.retryAfterMs ?? defaultRetryAfterMs, closed: closed.signal }

  const deliver = (source: string, detailType: string, detail: unknown): Envelope => {
    const envelope = envelopeOf(source, detailType, detail)
    const delivery = untilDone(envelope, attempts, deadLetters).finally(() => underWay.delete(delivery))
    underWay.add(delivery)
    return envelope
  }

  const schedule = options.sweepEveryMs
    ? setInterval(() => void sweep().catch(() => {}), options.sweepEveryMs)
    : undefined
  schedule?.unref()
  return {
    deadLetters,
    serves: (path) => path === eventsPath || path.startsWith(`${eventsPath}/`),
    handle: (request, response) => handle(request, response, { deliver, sweep, deadLetters }),
    deliver,
    idle: async () => {
      while (underWay.size > 0) await Promise.all(underWay)
    },
    close: async () => {
      closed.abort()
      clearInterval(schedule)
      await Promise.all(underWay)
    },
  }
}

interface Attempts {
  project(envelope: Envelope): Promise<void>
  retryAfterMs: readonly number[]
  closed: AbortSignal
}

/** Resolves when the event is projected, or is a dead letter, or the bus is closed. */
async function untilDone(envelope: Envelope, attempts: Attempts, deadLetters: DeadLetter[]): Promise<void> {
  const { project, retryAfterMs, closed } = attempts
  for (let attempt = 1; !closed.aborted; attempt++) {
    try {
      return await project(envelope)
    } catch (error) {
      const pauseMs = retryAfterMs[attempt - 1]
      if (pauseMs === undefined) return bury(deadLetters, envelope, attempt, error as Error)
      await pause(pauseMs, closed)
    }
  }
}

function bury(deadLetters: DeadLetter[], requestPayload: Envelope, attempts: number, { name, message }: Error): void {
  deadLetters.push({
    timestamp: new Date().toISOString(),
    requestContext: { condition: 'RetriesExhausted', approximateInvokeCount: attempts },
    requestPayload,
    responsePayload: { errorType: name, errorMessage: message },
  })
  if (deadLetters.length > maxDeadLettersKept) deadLetters.shift()
  console.error(`an event was not projected after ${attempts} attempts; see ${eventsPath}/dead-letters: ${message}`)
}

const envelopeOf = (source: string, detailType: string, detail: unknown): Envelope => ({
  version: '0',
  id: randomUUID(),
  'detail-type': detailType,
  source,
  account: '000000000000',
  time: `${new Date().toISOString().slice(0, 19)}Z`,
  region: process.env.AWS_REGION ?? 'us-east-1',
  resources: [],
  detail,
})

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })

interface Parts {
  deliver(source: string, detailType: string, detail: unknown): Envelope
  sweep(): Promise<void>
  deadLetters: readonly DeadLetter[]
}

async function handle(request: IncomingMessage, response: ServerResponse, parts: Parts): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://events.invalid')
  const asked = `${request.method} ${pathname.replace(/\/$/, '')}`
  if (asked === `GET ${eventsPath}/dead-letters`) return send(response, 200, { data: parts.deadLetters })
  if (asked === `POST ${eventsPath}/sweep`) {
    const failure = await parts.sweep().then(
      () => undefined,
      (error: Error) => error.message,
    )
    return failure === undefined ? send(response, 200, { swept: true }) : send(response, 500, { error: failure })
  }
  if (asked === `POST ${eventsPath}`) return putEvents(request, response, parts)
  send(response, 404, { error: 'not_found' })
}

function send(response: ServerResponse, status: number, body: object, type = 'application/json'): void {
  response.writeHead(status, { 'content-type': type }).end(JSON.stringify(body))
}

const maxEntries = 10
const requestLimitBytes = 256 * 1024

const entrySchema = z.object({
  Source: z.string().default(''),
  DetailType: z.string().default(''),
  Detail: z.string().default(''),
  EventBusName: z.string().default('default'),
})
const requestSchema = z.object({ Entries: z.array(entrySchema).min(1).max(maxEntries) })

type Entry = z.infer<typeof entrySchema>

async function putEvents(request: IncomingMessage, response: ServerResponse, { deliver }: Parts): Promise<void> {
  const type = 'application/x-amz-json-1.1'
  const refuse = (name: string, message: string) => send(response, 400, { __type: name, message }, type)
  if (request.headers['x-amz-target'] !== 'AWSEvents.PutEvents') {
    return refuse('UnknownOperationException', 'this EventBridge double does not support that operation')
  }
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const parsed = requestSchema.safeParse(parse(Buffer.concat(chunks).toString('utf8')))
  if (!parsed.success) return refuse('ValidationException', z.prettifyError(parsed.error))
  const { Entries } = parsed.data
  if (Entries.reduce((total, entry) => total + bytesOf(entry), 0) > requestLimitBytes) {
    return refuse('ValidationException', 'Total size of the entries in the request is over the limit.')
  }
  const results = Entries.map((entry) => put(entry, deliver))
  send(response, 200, { FailedEntryCount: results.filter(({ ErrorCode }) => ErrorCode).length, Entries: results }, type)
}

const bytesOf = ({ Source, DetailType, Detail }: Entry): number =>
  [Source, DetailType, Detail].reduce((total, text) => total + Buffer.byteLength(text), 0)

interface EntryResult {
  EventId?: string
  ErrorCode?: string
  ErrorMessage?: string
}

/** Accepts one entry, or refuses it as AWS does: inside a successful answer. */
function put({ Source, DetailType, Detail, EventBusName }: Entry, deliver: Parts['deliver']): EntryResult {
  const refuse = (ErrorCode: string, ErrorMessage: string): EntryResult => ({ ErrorCode, ErrorMessage })
  if (Source === '' || DetailType === '' || Detail === '') {
    return refuse('InvalidArgument', 'Parameter Source, DetailType and Detail are not optional.')
  }
  if (Source.startsWith('aws.')) return refuse('NotAuthorizedForSourceException', 'Not authorized for the source.')
  const detail = parse(Detail)
  if (typeof detail !== 'object' || detail === null) return refuse('MalformedDetail', 'Detail is malformed.')
  // An event without a matching rule is accepted and dropped.
  if (EventBusName !== localBusName || Source !== webhookSource) return { EventId: randomUUID() }
  return { EventId: deliver(Source, DetailType, detail).id }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
