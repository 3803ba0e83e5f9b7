/** Runs one kind of request through the real handlers and the real engine, and measures its mean usage. */
import { callOperation } from '../bench/call.ts'
import { consumedBy } from '../bench/consumed.ts'
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
  const requests = await step.requests(org, warmUps + samples + 1)
  for (const request of requests.slice(0, warmUps)) await callOperation(step.operation, org, request)
  const logged = captureLog()
  const answers: Response[] = []
  let cpuMicroseconds = 0
  const waits = await waitsOf(async () => {
    const before = process.cpuUsage()
    for (const request of requests.slice(warmUps, -1)) answers.push(await callOperation(step.operation, org, request))
    const { user, system } = process.cpuUsage(before)
    cpuMicroseconds = user + system
  }).finally(logged.stop)
  const { readUnits, writeUnits } = await consumedBy(() => callOperation(step.operation, org, requests.at(-1) ?? {}))
  return {
    apiRequests: 1,
    invocations: 1,
    readUnits,
    writeUnits,
    kmsCalls: waits.kmsCalls / samples,
    cpuMs: cpuMicroseconds / 1000 / samples,
    waitMs: waits.totalMs / samples + (step.callsProvider ? waitMs.provider : 0),
    logBytes: platformLogBytes + (logged.bytes() + logged.lines() * logLineOverheadBytes) / samples,
    egressBytes: answers.reduce((sum, answer) => sum + bytesOf(answer), 0) / samples,
    events: 0,
    eventBytes: 0,
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
