/**
 * SQS on loopback, as far as this service calls it: SendMessage, and the event source mapping that hands messages to the
 * sender. Messages come at least once, in no order, and now and then twice. The due clock moves the times at which delayed
 * messages come.
 */
import { createHash, randomUUID } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { dueNowMs } from '../shared/runtime/due-clock.ts'
import type { BatchResult } from '../shared/runtime/table-stream.ts'
import { writePrivateFile } from './state.ts'

export const sqsPath = '/local/sqs'
export const deliveryQueueUrl = (url: string): string => `${url}${sqsPath}/deliveries`
export const deliveryDeadLettersUrl = (url: string): string => `${url}${sqsPath}/delivery-dead-letters`

interface QueuedMessage {
  id: string
  body: string
  receives: number
  /** When it can be received, in milliseconds of the due clock. */
  visibleAtMs: number
}

export interface SqsRecord {
  messageId: string
  body: string
  attributes: { ApproximateReceiveCount: string }
}

export interface LocalSqs {
  serves(url: string): boolean
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>
  /** The bodies of the messages in a queue. */
  messagesIn(queue: string): string[]
  close(): Promise<void>
}

interface SqsOptions {
  /** Receives the queue `deliveries`. */
  receive(records: SqsRecord[]): Promise<BatchResult>
  /** Keeps messages over a restart, and over the death of the process. */
  file?: string
  pollEveryMs?: number
  /** Share of the messages that are received twice. */
  repeated?: number
}

const visibilityTimeoutMs = 60_000
const maxDelaySeconds = 900
/** Messages that are received at once. */
const maxConcurrency = 500

/** Creates the queues, and starts to receive. */
export function createSqs(options: SqsOptions): LocalSqs {
  const { receive, file, pollEveryMs = 50, repeated = 0.05 } = options
  const queues = load(file)
  const running = new Set<Promise<void>>()
  const take = (message: QueuedMessage): void => {
    message.visibleAtMs = dueNowMs() + visibilityTimeoutMs
    message.receives++
    const run = received(queues, message, receive).finally(() => running.delete(run))
    running.add(run)
  }
  const poll = (): void => {
    for (const message of queueOf(queues, 'deliveries').values()) {
      if (running.size >= maxConcurrency) return
      if (message.visibleAtMs > dueNowMs()) continue
      take(message)
      if (Math.random() < repeated) take(message)
    }
  }
  const save = saver(file, queues)
  const timers = [setInterval(poll, pollEveryMs), setInterval(save, saveEveryMs)]
  for (const timer of timers) timer.unref()
  return {
    serves: (url) => url.startsWith(sqsPath),
    handle: (request, response) => answer(queues, request, response),
    messagesIn: (queue) => [...queueOf(queues, queue).values()].map(({ body }) => body),
    close: async () => {
      for (const timer of timers) clearInterval(timer)
      await Promise.race([Promise.all(running), new Promise((resolve) => setTimeout(resolve, closeWithinMs).unref())])
      save()
    },
  }
}

/** A killed service loses at most the changes of this time. */
const saveEveryMs = 500

/** Sends that take longer are lost with the process; their messages return at the next start. */
const closeWithinMs = 2000

type Queues = Map<string, Map<string, QueuedMessage>>

function queueOf(queues: Queues, name: string): Map<string, QueuedMessage> {
  const queue = queues.get(name) ?? new Map()
  queues.set(name, queue)
  return queue
}

/** Hands one message to the function, and deletes it unless it is returned as failed. */
async function received(queues: Queues, message: QueuedMessage, receive: SqsOptions['receive']): Promise<void> {
  const record: SqsRecord = {
    ...{ messageId: message.id, body: message.body },
    attributes: { ApproximateReceiveCount: String(message.receives) },
  }
  const result = await receive([record]).catch(() => undefined)
  const isDone = result !== undefined && result.batchItemFailures.length === 0
  if (isDone) queueOf(queues, 'deliveries').delete(message.id)
}

interface SqsRequest {
  QueueUrl?: string
  MessageBody?: string
  DelaySeconds?: number
}

async function answer(queues: Queues, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const headers = { 'content-type': 'application/x-amz-json-1.0' }
  const operation = operations[String(request.headers['x-amz-target'])]
  const input = JSON.parse(Buffer.concat(chunks).toString('utf8') || '{}') as SqsRequest
  const output = operation?.(queueOf(queues, input.QueueUrl?.split('/').at(-1) ?? ''), input)
  if (output) response.writeHead(200, headers).end(JSON.stringify(output))
  else response.writeHead(400, headers).end(JSON.stringify({ __type: 'com.amazonaws.sqs#UnsupportedOperation' }))
}

type Operation = (queue: Map<string, QueuedMessage>, input: SqsRequest) => object | undefined

const operations: Record<string, Operation> = {
  'AmazonSQS.SendMessage': (queue, { MessageBody = '', DelaySeconds = 0 }) => {
    if (DelaySeconds < 0 || DelaySeconds > maxDelaySeconds) return undefined
    const id = randomUUID()
    queue.set(id, { id, body: MessageBody, receives: 0, visibleAtMs: dueNowMs() + DelaySeconds * 1000 })
    // The SDK compares it with a digest of its own.
    return { MessageId: id, MD5OfMessageBody: createHash('md5').update(MessageBody).digest('hex') }
  },
}

function load(file: string | undefined): Queues {
  const stored: Record<string, QueuedMessage[]> = file && existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}
  const entries = Object.entries(stored).map(([name, messages]) => [name, messages] as const)
  return new Map(entries.map(([name, messages]) => [name, new Map(messages.map((each) => [each.id, each]))]))
}

/** Returns what writes the queues to the file if they changed. */
function saver(file: string | undefined, queues: Queues): () => void {
  const textOf = () => JSON.stringify(Object.fromEntries([...queues].map(([name, its]) => [name, [...its.values()]])))
  let saved = textOf()
  return () => {
    const text = textOf()
    if (file && text !== saved) writePrivateFile(file, text)
    saved = text
  }
}
