/** Service keys, which the operator of the platform gives to its own services. */
import { beforeAll, describe, expect, test } from 'vitest'
import { type OperationName, operationList } from '../../functions/operations.ts'
import { serviceKeyScopes } from '../../shared/auth/scopes.ts'
import { listServiceKeys, revokeServiceKey } from '../../shared/operator/service-keys.ts'
import { happyRequest } from '../support/happy-paths.ts'
import { invoke } from '../support/invoke.ts'
import { logLines } from '../support/logs.ts'
import { makeBusyOrg, makeKey, type TestOrg } from '../support/orgs.ts'
import { bareProblem, expectProblem, faultPaths } from '../support/problems.ts'
import { makeServiceKey, testMaker } from '../support/service-keys.ts'
import { makeTarget } from './execution/targets.ts'

let org: TestOrg
let service: Awaited<ReturnType<typeof makeServiceKey>>
let target: string
beforeAll(async () => {
  org = await makeBusyOrg()
  service = await makeServiceKey(serviceKeyScopes)
  target = await makeTarget(org)
})

const report = (query: Record<string, string> | undefined, token = service.rawKey, extra: object = {}) =>
  invoke('execution/report', {
    token,
    ...(query ? { query } : {}),
    body: { reports: [{ target_id: target, started: 1, succeeded: 1, failed: 0, inflight: 0 }], ...extra },
  })

describe('a service key', () => {
  test('has its form, and is not in the list of any organization', async () => {
    expect(service.rawKey).toMatch(/^oct_svc_live_[0-9A-Za-z]{38}$/)
    expect((await makeServiceKey(['usage:write'], { environment: 'test' })).rawKey).toMatch(/^oct_svc_test_/)
    const list = await invoke('api-keys/list', { token: org.adminKey, query: { limit: '100' } })
    expect(list.text).not.toContain(service.key.id)
    const read = await invoke('api-keys/get', { token: org.adminKey, params: { key_id: service.key.id } })
    expectProblem(read, 'not_found')
    expect((await listServiceKeys()).map(({ id }) => id)).toContain(service.key.id)
    expect(JSON.stringify(await listServiceKeys())).not.toContain(service.rawKey)
  })

  test('reports for the organization that it names', async () => {
    const { status, headers } = await report({ org_id: org.orgId })
    expect([status, headers['ratelimit-policy']]).toEqual([202, '"default";q=100000;w=60'])
  })

  test('that names none is 400, beside the other faults', async () => {
    expect(faultPaths(await report(undefined))).toEqual(['org_id'])
    expect(faultPaths(await report(undefined, service.rawKey, { zz: 1 }))).toEqual(['org_id', 'zz'])
  })

  test('that names a malformed or unknown organization is the same 404, after 400', async () => {
    const unknown = await report({ org_id: 'org_01jd3v7k3q9x5m2n8r4t6w0y1z' })
    for (const org_id of ['acme', '', org.orgId.toUpperCase()]) {
      const malformed = await report({ org_id })
      expectProblem(malformed, 'not_found')
      expect(bareProblem(malformed)).toEqual(bareProblem(unknown))
    }
    expectProblem(await report({ org_id: 'acme' }, service.rawKey, { zz: 1 }), 'invalid_input')
  })

  test('does not reach the targets of another organization', async () => {
    const other = await makeBusyOrg()
    expectProblem(await report({ org_id: other.orgId }), 'invalid_input')
  })

  test('the org_id of an org key must stay its own', async () => {
    const other = await makeBusyOrg()
    expectProblem(await report({ org_id: other.orgId }, org.adminKey), 'forbidden')
  })

  test('does only what its scopes allow', async () => {
    const narrow = await makeServiceKey(['usage:write'])
    const refused = await report({ org_id: org.orgId }, narrow.rawKey)
    expectProblem(refused, 'forbidden')
    expect(refused.body.detail).toContain('telemetry:write')
  })

  test('that was revoked is refused by the very next request, and stays revoked', async () => {
    const { key, rawKey } = await makeServiceKey(['telemetry:write'])
    expect((await report({ org_id: org.orgId }, rawKey)).status).toBe(202)
    const revoked = await revokeServiceKey(key.id, testMaker())
    expectProblem(await report({ org_id: org.orgId }, rawKey), 'invalid_api_key')
    expect(await revokeServiceKey(key.id, testMaker())).toEqual(
      expect.objectContaining({ revoked_at: revoked?.revoked_at }),
    )
    expect(await revokeServiceKey('key_01jd3v7k3q9x5m2n8r4t6w0y1z', testMaker())).toBeUndefined()
  })

  test('has one rate limit, whichever organization it names', async () => {
    const { rawKey } = await makeServiceKey(['telemetry:write'], { rate_limit_per_minute: 1 })
    const other = await makeBusyOrg()
    const statuses = [await report({ org_id: org.orgId }, rawKey), await report({ org_id: other.orgId }, rawKey)]
    // The second may be the first of the next minute.
    if (statuses[1]?.status !== 429) statuses.push(await report({ org_id: org.orgId }, rawKey))
    expect(statuses.at(-1)?.status).toBe(429)
  })

  test('is named as a service in log lines, and never by its raw value', async () => {
    await report({ org_id: org.orgId })
    const line = logLines.findLast((text) => text.includes('settings.report-execution')) ?? '{}'
    expect(JSON.parse(line)).toMatchObject({
      principal_type: 'service',
      principal: service.key.id,
      org_id: org.orgId,
    })
    expect(logLines.join()).not.toContain(service.rawKey)
  })

  const settings = operationList.filter(
    ([, { scope }]) =>
      scope !== 'public' && scope !== 'any' && !(serviceKeyScopes as readonly string[]).includes(scope),
  )
  test.each(settings)('is refused by %s', async (name: OperationName) => {
    const happy = await happyRequest(name, org)
    const refused = await invoke(name, {
      ...happy,
      token: service.rawKey,
      query: { ...happy.query, org_id: org.orgId },
    })
    expectProblem(refused, 'forbidden')
  })

  test('no key of an organization can be issued as one', async () => {
    const refused = await invoke('api-keys/create', {
      token: org.adminKey,
      body: { name: 'x', scopes: ['keys:read'], key_type: 'service' },
    })
    expectProblem(refused, 'invalid_input')
    expect((await makeKey(org, { scopes: [...serviceKeyScopes] })).api_key).toMatch(/^oct_org_/)
  })
})
