/** Runs one kind of request through the real handlers and the real engine, and measures its mean usage. */
import { callOperation } from '../bench/call.ts'
import { type Consumed, consumedBy } from '../bench/consumed.ts'
import { makeOrg } from '../bench/fixture.ts'
import { captureLog } from '../bench/log.ts'
import type { Response } from '../test/support/invoke.ts'
import { logLineOverheadBytes, platformLogBytes, waitMs } from './assumptions.ts'
import type { Sample } from './bill.ts'
import type { Step } from './steps.ts'
import { waitsOf } from './waits.ts'

const warmUps = 20
const samples = 60

/** The mean usage of one kind of request. The doubles share this process, so CPU time includes their work. */
export async function measure(step: Step): Promise<Sample> {
  const org = await makeOrg()
  const requests = await step.requests(org, warmUps + samples)
  for (const request of requests.slice(0, warmUps)) await callOperation(step.operation, org, request)
  const answers: Response[] = []
  const usage = await meanUsage(
    requests.slice(warmUps).map((request) => async () => {
      answers.push(await callOperation(step.operation, org, request))
    }),
  )
  return {
    ...usage,
    apiRequests: 1,
    waitMs: usage.waitMs + (step.callsProvider ? waitMs.provider : 0),
    egressBytes: answers.reduce((sum, answer) => sum + bytesOf(answer), 0) / samples,
  }
}

/** The mean usage of invocations, without requests of the API. */
export async function meanUsage(invocations: readonly (() => Promise<void>)[]): Promise<Sample> {
  const logged = captureLog()
  let consumed: Consumed | undefined
  let cpuMicroseconds = 0
  const waits = await waitsOf(async () => {
    const before = process.cpuUsage()
    consumed = await consumedBy(async () => {
      for (const invoke of invocations) await invoke()
    })
    const { user, system } = process.cpuUsage(before)
    cpuMicroseconds = user + system
  }).finally(logged.stop)
  const mean = (total: number) => total / invocations.length
  return {
    ...{ apiRequests: 0, invocations: 1, egressBytes: 0, events: 0, eventBytes: 0, queueRequests: 0 },
    readUnits: mean(consumed?.readUnits ?? Number.NaN),
    // A refused write costs as much as a successful one; the rows in question have at most 1 KB.
    writeUnits: mean((consumed?.writeUnits ?? Number.NaN) + (consumed?.refusedWrites ?? 0)),
    kmsCalls: mean(waits.kmsCalls),
    signatures: mean(waits.signatures),
    cpuMs: mean(cpuMicroseconds / 1000),
    waitMs: mean(waits.totalMs),
    logBytes: platformLogBytes + mean(logged.bytes() + logged.lines() * logLineOverheadBytes),
  }
}

/** Extra read units of the first request, before the process has cached its key and org. */
export async function missedReadUnits(): Promise<number> {
  const org = await makeOrg()
  const call = () => callOperation('api-keys/get', org, { params: { key_id: org.keyId } })
  const first = await consumedBy(call)
  return first.readUnits - (await consumedBy(call)).readUnits
}

const bytesOf = ({ text, headers }: Response): number => Buffer.byteLength(text + JSON.stringify(headers))
