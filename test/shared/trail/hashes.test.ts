/** Events as they are served: anyone can compute their hashes. */
import { beforeEach, describe, expect, test } from 'vitest'
import { operations } from '../../../functions/operations.ts'
import type { Operation } from '../../../shared/http/operation.ts'
import { expectWholeChain } from '../../support/governance.ts'
import { eventFor, invoke, invokeEvent } from '../../support/invoke.ts'
import { makeBusyOrg, type TestOrg, testIssuer, tokenFor } from '../../support/orgs.ts'
import { hashOfBlockRow, hashOfEvent, listAll, trailRows } from '../../support/trail-rows.ts'

let org: TestOrg
beforeEach(async () => {
  org = await makeBusyOrg()
})

async function expectHashes(): Promise<void> {
  for (const event of await listAll(org)) expect(event.hash).toBe(hashOfEvent(event))
  for (const row of await trailRows(org)) if (row.sk.startsWith('BLOCK#')) expect(row.hash).toBe(hashOfBlockRow(row))
}

test('each event and each block holds its own hash, before and after it is sealed', async () => {
  const body = { name: 'Größe "1" \\ \u2028 🚀', scopes: ['keys:read'], rate_limit_per_minute: 17 }
  const headers = { 'user-agent': 'ünïcode/1.0' }
  const made = await invoke('api-keys/create', { token: await tokenFor(org.orgId, 'owner'), body, headers })
  expect(made.status).toBe(201)
  await invoke('api-keys/create', { token: org.readOnlyKey, body: {} })
  await expectHashes()
  const before = await listAll(org)
  expect(before.map(({ sealed }) => sealed)).toEqual(Array(6).fill(null))
  await expectWholeChain(org)
  await expectHashes()
  expect(await listAll(org)).toEqual(before.map((event) => ({ ...event, sealed: 1 })))
})

describe('the hash holds for', () => {
  test.each([
    ['a user agent that is not well-formed', { userAgent: 'agent \ud800' }, {}],
    ['a source address that is not well-formed', { sourceIp: '\udfff\ud800' }, {}],
    ['a user agent of any length', { userAgent: 'x'.repeat(5000) }, {}],
    ['an email address that is not well-formed', {}, { email: 'owner\ud800@example.com' }],
    ['an email address with any characters', {}, { email: 'ö\u0000\u2028"\\🚀@example.com' }],
  ])('%s', async (_what, http, claims) => {
    const { mint } = await testIssuer()
    const token = await mint({ sub: 'odd', org_id: org.orgId, role: 'owner' }, 600, claims)
    const operation = operations['api-keys/create'] as unknown as Operation
    const event = eventFor(operation, { token, body: { name: 'x', scopes: ['keys:read'] } })
    Object.assign((event.requestContext as { http: object }).http, http)
    expect((await invokeEvent('api-keys/create', event)).status).toBe(201)
    await expectHashes()
    await expectWholeChain(org)
  })
})
