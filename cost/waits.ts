/** Computes how long a request would wait for AWS: the assumed latency of its calls, sequential or parallel. */
import { kms } from '../shared/secrets/kms.ts'
import { table } from '../shared/table/client.ts'
import { waitMs } from './assumptions.ts'

export interface Waits {
  totalMs: number
  kmsCalls: number
  signatures: number
}

let counting: Waits | undefined
let underWay = 0
/** The longest wait among the calls that run in parallel now. */
let maxMs = 0
let watching = false

/** Runs `work`, which sends one request after another, and adds up their waits. */
export async function waitsOf(work: () => Promise<unknown>): Promise<Waits> {
  watch()
  const waits: Waits = { totalMs: 0, kmsCalls: 0, signatures: 0 }
  counting = waits
  try {
    await work()
  } finally {
    counting = undefined
  }
  return waits
}

function watch(): void {
  if (watching) return
  watching = true
  const options = { step: 'initialize', name: 'waits' } as const
  table().middlewareStack.add(
    (next, { commandName }) =>
      (args) =>
        during(commandName, () => next(args)),
    options,
  )
  kms().middlewareStack.add(
    (next, { commandName }) =>
      (args) =>
        during(commandName, () => next(args)),
    options,
  )
}

async function during<T>(commandName: string | undefined, send: () => Promise<T>): Promise<T> {
  const call = String(commandName).replace('Command', '')
  if (counting && isKms(call)) counting.kmsCalls++
  if (counting && isSignature(call)) counting.signatures++
  maxMs = Math.max(maxMs, latencyOf(call))
  underWay++
  return send().finally(end)
}

function end(): void {
  if (--underWay > 0) return
  if (counting) counting.totalMs += maxMs
  maxMs = 0
}

const isKms = (call: string): boolean => call === 'Encrypt' || call === 'Decrypt'
const isSignature = (call: string): boolean => call === 'Sign' || call === 'GetPublicKey'

function latencyOf(call: string): number {
  if (isKms(call)) return waitMs.kms
  if (isSignature(call)) return waitMs.signature
  if (call === 'TransactWriteItems') return waitMs.transaction
  return /^(Get|Query|BatchGet)/.test(call) ? waitMs.read : waitMs.write
}
