/** The work of the sealer for one organization, measured like a request. */
import { callOperation } from '../bench/call.ts'
import { makeOrg } from '../bench/fixture.ts'
import { eventIdOf, eventPrefix } from '../shared/audit/event-rows.ts'
import { queryPage } from '../shared/table/query.ts'
import { orgPartition, type RowKey } from '../shared/table/rows.ts'
import { signIfDue } from '../shared/trail/checkpoints.ts'
import { sealEvents } from '../shared/trail/seal.ts'
import { sealRecords } from '../shared/trail/seal-records.ts'
import type { Sample } from './bill.ts'
import { meanUsage } from './measure.ts'

const warmUps = 5
const samples = 30

/** Invocations of the sealer with one event each: the org’s first block, which is signed at once, is not among them. */
async function sealAnEvent(): Promise<Sample> {
  const { orgId, events } = await orgWithEvents(warmUps + samples)
  const work = events.map(({ pk, sk }, index) => async () => {
    const record = { dynamodb: { Keys: { pk: { S: pk }, sk: { S: sk } }, SequenceNumber: String(index) } }
    const failed = await sealRecords([record])
    if (failed.length > 0) throw new Error(`an event of ${orgId} was not sealed`)
  })
  for (const invoke of work.slice(0, warmUps)) await invoke()
  return meanUsage(work.slice(warmUps))
}

/** The part of an invocation that signs. The invocation and its log belong to sealing. */
async function signAChain(): Promise<Sample> {
  const work: (() => Promise<void>)[] = []
  for (let org = 0; org < warmUps + samples; org++) {
    const { orgId, events } = await orgWithEvents(1)
    await sealEvents(orgId, events.map(eventIdOf), new Date())
    work.push(async () => {
      if (!(await signIfDue(orgId, new Date()))) throw new Error(`the chain of ${orgId} was not signed`)
    })
  }
  for (const sign of work.slice(0, warmUps)) await sign()
  return { ...(await meanUsage(work.slice(warmUps))), invocations: 0, logBytes: 0 }
}

export const sealerSteps = { 'seal an event': sealAnEvent, 'sign a chain': signAChain }

async function orgWithEvents(count: number): Promise<{ orgId: string; events: readonly RowKey[] }> {
  const org = await makeOrg()
  const body = { name: 'Bench key', scopes: ['models:read'] }
  for (let event = 0; event < count; event++) await callOperation('api-keys/create', org, { body })
  const partition = orgPartition(org.orgId)
  const page = { partition, prefix: eventPrefix, limit: count, newestFirst: true, after: undefined }
  return { orgId: org.orgId, events: (await queryPage(page)).rows }
}
