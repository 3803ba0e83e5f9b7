import type { NodeHttpHandler } from '@smithy/node-http-handler'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { operations } from '../../functions/operations.ts'
import type { Operation } from '../../shared/http/operation.ts'
import { awsClientSettings } from '../../shared/runtime/aws-client.ts'
import { table } from '../../shared/table/client.ts'
import { eventFor, invoke, invokeEvent } from '../support/invoke.ts'
import { makeBusyOrg, type TestOrg } from '../support/orgs.ts'

const writers = 200
/** All requests must succeed. Their duration depends on the machine, so it is not asserted. */
const patient = { getRemainingTimeInMillis: () => 100_000 }

/** One process opens the connections of two hundred here, and may take longer for them than a Lambda for its own. */
const connectWithin = (connectionTimeout: number) =>
  (table().config.requestHandler as NodeHttpHandler).updateHttpClientConfig('connectionTimeout', connectionTimeout)

let org: TestOrg
beforeAll(async () => {
  org = await makeBusyOrg()
  connectWithin(60_000)
})
afterAll(() => connectWithin(awsClientSettings.requestHandler.connectionTimeout))

interface Event {
  seq: number
  hash: string
  prev_hash: string
  timestamp: string
  resource: { id: string }
}

async function wholeTrail(): Promise<Event[]> {
  const events: Event[] = []
  let cursor: string | null = null
  do {
    const query: Record<string, string> = { limit: '100', ...(cursor ? { cursor } : {}) }
    const { body } = await invoke('audit-events/list', { token: org.adminKey, query })
    events.push(...body.data)
    cursor = body.next_cursor
  } while (cursor !== null)
  return events
}

describe(`${writers} changes of one org at once`, () => {
  test('all land, and the audit chain has each of them, once, without a gap or a fork', async () => {
    const answers = await Promise.all(
      Array.from({ length: writers }, (_, index) =>
        invokeEvent(
          'api-keys/create',
          eventFor(operations['api-keys/create'] as unknown as Operation, {
            token: org.adminKey,
            body: { name: `key ${index}`, scopes: ['keys:read'] },
          }),
          patient,
        ),
      ),
    )
    expect(answers.map(({ status }) => status)).toEqual(Array(writers).fill(201))
    const created = answers.map(({ body }) => body.id as string)
    expect(new Set(created).size).toBe(writers)

    const trail = (await wholeTrail()).reverse()
    expect(trail.map(({ seq }) => seq)).toEqual(Array.from({ length: trail.length }, (_, index) => index + 1))
    const told = trail.map(({ resource }) => resource.id).filter((id) => created.includes(id))
    expect(told.sort()).toEqual([...created].sort())
    for (const [index, { prev_hash, timestamp }] of trail.entries()) {
      const before = trail[index - 1]
      expect(prev_hash).toBe(before?.hash ?? '0'.repeat(64))
      if (before) expect(timestamp >= before.timestamp).toBe(true)
    }

    let checked = 0
    let cursor: string | null = null
    do {
      const query: Record<string, string> = { limit: '64', ...(cursor ? { cursor } : {}) }
      const { body } = await invoke('audit-events/verify', { token: org.adminKey, query })
      expect(body).toMatchObject({ valid: true, first_invalid_seq: null, from_seq: checked + 1 })
      expect(body.head).toEqual({ seq: trail.length, hash: trail.at(-1)?.hash })
      checked += body.events_checked
      expect(body.to_seq).toBe(checked)
      cursor = body.next_cursor
    } while (cursor !== null)
    expect(checked).toBe(trail.length)
  }, 120_000)
})
