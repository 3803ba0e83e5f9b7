/**
 * Each function may do to the table what its operation says, and needs all of it. That it needs nothing more is held at
 * every call of every test, by `test/support/access.ts`.
 */
import { beforeAll, describe, expect, test } from 'vitest'
import { type OperationName, operationList } from '../../functions/operations.ts'
import type { TableAction } from '../../shared/access.ts'
import type { Operation } from '../../shared/http/operation.ts'
import { calledOut, callsStripe, putsEvents, queuesDeliveries, usedActions, usedSecrets } from '../support/access.ts'
import { happyPaths, happyRequest } from '../support/happy-paths.ts'
import { invoke } from '../support/invoke.ts'
import { credentialFor, makeBusyOrg, makeKey, type TestOrg } from '../support/orgs.ts'
import { sampleParams } from '../support/sample-ids.ts'

/** Leases of rate limits and stamps of keys: a process that has them needs none for this request. */
const pipelineActions = ['UpdateItem'] as const
/** Actions that few requests need; the tests of the named parts reach them. */
const seldom: Partial<Record<OperationName, readonly TableAction[]>> = {
  // At the limit of keys, they are counted.
  'api-keys/create': ['Query'],
  'api-keys/create-app-key': ['Query'],
  'api-keys/create-publishable-key': ['Query'],
  'api-keys/rotate': ['Query'],
  // Sealed events.
  'audit-events/export': ['BatchGetItem'],
  'audit-events/verify': ['BatchGetItem'],
  // More ids than one transaction holds.
  'usage/record': ['ConditionCheckItem'],
}

let org: TestOrg
beforeAll(async () => {
  org = await makeBusyOrg()
})

test('every operation has a happy path to be driven along', () => {
  expect(Object.keys(happyPaths).sort()).toEqual(operationList.map(([name]) => name).sort())
})

describe.each(operationList)('%s', (name: OperationName, operation: Operation) => {
  const { access, audit, scope, id, method } = operation
  const guarded = scope !== 'public'

  test('uses exactly the table actions that its contract declares', async () => {
    const { api_key: denied } = await makeKey(org, {
      scopes: [scope === 'evals:write' ? 'models:read' : 'evals:write'],
    })
    const request = await happyRequest(name, org)
    usedActions.delete(id)
    const headers = { ...request.headers, ...(method === 'POST' ? { 'idempotency-key': `access of ${id}` } : {}) }
    const token = guarded ? await credentialFor(operation, org) : undefined
    const happy = await invoke(name, { ...request, headers, token })
    expect(happy.status, happy.text).toBeLessThan(400)
    if (audit) {
      const refused = await invoke(name, { ...request, params: sampleParams(operation), token: denied })
      expect(refused.status, refused.text).toBe(403)
    }
    const used = new Set([...(usedActions.get(id) ?? []), ...(guarded ? pipelineActions : []), ...(seldom[name] ?? [])])
    expect([...used].sort()).toEqual([...access.table].sort())
    expect(calledOut.has(id)).toBe(access.internet ?? false)
    expect(putsEvents.has(id)).toBe(access.events === 'put')
    expect(queuesDeliveries.has(id)).toBe(access.deliveries !== undefined)
    // The webhook reads Stripe's secrets, and makes no outbound call.
    if (!access.events) expect(callsStripe.has(id)).toBe(access.stripe === true)
    const { secrets } = access
    expect([...(usedSecrets.get(id) ?? [])]).toEqual(secrets ? [`${secrets.action} ${secrets.purpose}`] : [])
  })

  test('names each action once', () => {
    expect(new Set(access.table).size).toBe(access.table.length)
  })
})
