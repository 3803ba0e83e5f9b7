import type { NodeHttpHandler } from '@smithy/node-http-handler'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { operations } from '../../functions/operations.ts'
import type { Operation } from '../../shared/http/operation.ts'
import { awsClientSettings } from '../../shared/runtime/aws-client.ts'
import { table } from '../../shared/table/client.ts'
import { expectWholeChain, type TestEvent } from '../support/governance.ts'
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

async function wholeTrail(): Promise<TestEvent[]> {
  const events: TestEvent[] = []
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
  test('all land, and the audit trail has each of them, once, and seals into a whole chain', async () => {
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

    const recorded = (await wholeTrail()).map(({ resource }) => resource.id).filter((id) => created.includes(id ?? ''))
    expect(recorded.sort()).toEqual([...created].sort())
    await expectWholeChain(org)
  }, 120_000)
})
