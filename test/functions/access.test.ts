/**
 * Each function may do to the table what its operation says, and needs all of it. That it needs nothing more is held at
 * every call of every test, by `test/support/access.ts`.
 */
import { beforeAll, describe, expect, test } from 'vitest'
import { type OperationName, operationList } from '../../functions/operations.ts'
import type { Operation } from '../../shared/http/operation.ts'
import { calledOut, callsStripe, putsEvents, queuesDeliveries, usedActions, usedSecrets } from '../support/access.ts'
import { happyPaths, happyRequest } from '../support/happy-paths.ts'
import { invoke } from '../support/invoke.ts'
import { credentialFor, makeBusyOrg, makeKey, type TestOrg } from '../support/orgs.ts'
import { sampleParams } from '../support/sample-ids.ts'

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
    expect([...(usedActions.get(id) ?? [])].sort()).toEqual([...access.table].sort())
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
