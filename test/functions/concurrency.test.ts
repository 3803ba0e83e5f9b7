import type { NodeHttpHandler } from '@smithy/node-http-handler'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { operations } from '../../functions/operations.ts'
import type { Operation } from '../../shared/http/operation.ts'
import { awsClientSettings } from '../../shared/runtime/aws-client.ts'
import { table } from '../../shared/table/client.ts'
import { callsDuring } from '../support/faults.ts'
import { expectWholeChain } from '../support/governance.ts'
import { eventFor, invokeEvent, type Response } from '../support/invoke.ts'
import { makeBusyOrg, type TestOrg } from '../support/orgs.ts'
import { listAll, verifyAll } from '../support/trail-rows.ts'

const writers = 200
/** What is shown is that all of them land; how soon is a matter of the machine. */
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

describe(`${writers} changes of one org at once`, () => {
  test('all land with one transaction each, and the audit chain has each of them, once', async () => {
    let answers: Response[] = []
    const calls = await callsDuring(async () => {
      answers = await Promise.all(
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
    })
    expect(answers.map(({ status }) => status)).toEqual(Array(writers).fill(201))
    const created = answers.map(({ body }) => (body as { id?: string }).id ?? '')
    expect(new Set(created).size).toBe(writers)
    expect(calls.filter(({ command }) => command === 'TransactWriteItemsCommand')).toHaveLength(writers)

    const trail = await listAll(org, { limit: '100' })
    const resources = trail.map(({ resource }) => resource.id ?? '').filter((id) => created.includes(id))
    expect(resources.sort()).toEqual([...created].sort())
    await expectWholeChain(org)
    const sealed = (await listAll(org, { limit: '100' })).map((event) => event.sealed)
    expect(sealed).not.toContain(null)
    expect(await verifyAll(org, 64)).toMatchObject({ valid: true, events_checked: trail.length })
  }, 120_000)
})
