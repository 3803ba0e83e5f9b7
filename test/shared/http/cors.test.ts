/** CORS: dashboards may call every operation, pages of any origin what publishable keys may call. */
import { describe, expect, test, vi } from 'vitest'
import { catchAll, type OperationName, operationList } from '../../../functions/operations.ts'
import { keyTypeScopes } from '../../../shared/auth/scopes.ts'
import { eventFor, invoke, invokeEvent } from '../../support/invoke.ts'
import { makeKey, makeOrg } from '../../support/orgs.ts'
import { expectProblem } from '../../support/problems.ts'
import { sampleParams } from '../../support/sample-ids.ts'

const dashboard = 'https://dashboard.example.com'
const anyPage = 'https://shop.example.net'
const open: readonly string[] = ['public', 'any', ...keyTypeScopes.publishable]

const preflight = (path: string, method: string, origin: string) =>
  invokeEvent(
    catchAll.name,
    eventFor(catchAll.operation, {
      method: 'OPTIONS',
      path,
      headers: {
        origin,
        'access-control-request-method': method,
        'access-control-request-headers': 'authorization,traceparent',
      },
    }),
  )

const pathOf = (template: string, params: Record<string, string>) =>
  Object.entries(params).reduce((path, [name, value]) => path.replace(`{${name}}`, value), template)

describe('a preflight', () => {
  test('allows any origin for operations of publishable keys, and only dashboards for all others', async () => {
    for (const [name, operation] of operationList) {
      const path = pathOf(operation.path, sampleParams(operation))
      const [ofDashboard, ofPage] = [
        await preflight(path, operation.method, dashboard),
        await preflight(path, operation.method, anyPage),
      ]
      const isOpen = open.includes(operation.scope)
      const allowed = [ofDashboard, ofPage].map(({ headers }) => headers['access-control-allow-origin'])
      expect(allowed, name).toEqual(isOpen ? ['*', '*'] : [dashboard, undefined])
      for (const { status, headers } of [ofDashboard, ofPage]) {
        expect([status, headers['access-control-allow-credentials']], name).toEqual([204, undefined])
      }
      expect(ofDashboard.headers['access-control-allow-methods']?.split(','), name).toContain(operation.method)
    }
  })

  test('allows the headers of this API and those of W3C tracing', async () => {
    const { headers } = await preflight('/api/v2/settings/execution/reports', 'POST', anyPage)
    const allowed = headers['access-control-allow-headers']?.split(',')
    expect(allowed).toEqual(
      expect.arrayContaining([
        ...['authorization', 'content-type', 'idempotency-key', 'if-match', 'if-none-match', 'x-api-key'],
        ...['traceparent', 'tracestate', 'baggage'],
      ]),
    )
  })

  test('of HEAD is that of GET; for an unknown method or path it lets the page read the error', async () => {
    const policies = '/api/v2/settings/policies'
    const origins = await Promise.all([
      preflight(policies, 'HEAD', anyPage),
      preflight(policies, 'HEAD', dashboard),
      preflight(policies, 'DELETE', anyPage),
      preflight('/nowhere', 'GET', anyPage),
    ])
    expect(origins.map(({ headers }) => headers['access-control-allow-origin'])).toEqual([
      undefined,
      dashboard,
      '*',
      '*',
    ])
  })

  test('is answered for no dashboard where the stage names none', async () => {
    vi.stubEnv('DASHBOARD_ORIGINS', '')
    const answer = await preflight('/api/v2/settings/policies', 'GET', dashboard)
    vi.unstubAllEnvs()
    expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([204, undefined])
  })

  test('an OPTIONS that is none is a 405', async () => {
    const event = eventFor(catchAll.operation, { method: 'OPTIONS', path: '/api/v2/settings/policies' })
    const answer = await invokeEvent(catchAll.name, event)
    expectProblem(answer, 'method_not_allowed')
    expect(answer.headers.allow).toBe('GET, HEAD, PATCH')
  })
})

describe('an answer', () => {
  const read = <Name extends OperationName>(name: Name, origin: string, token?: string) =>
    invoke(name, { token, headers: { origin } })

  test('can be read by the pages that may call, a problem too', async () => {
    const { adminKey } = await makeOrg()
    const allowedFor = async (name: OperationName, origin: string, token?: string) =>
      (await read(name, origin, token)).headers['access-control-allow-origin']
    expect(await allowedFor('org-policies/get', dashboard, adminKey)).toBe(dashboard)
    expect(await allowedFor('org-policies/get', anyPage, adminKey)).toBeUndefined()
    expect(await allowedFor('org-policies/get', dashboard)).toBe(dashboard)
    expect(await allowedFor('api-keys/scopes', anyPage, adminKey)).toBe('*')
    expect(await allowedFor('execution/report', anyPage)).toBe('*')
    expect(await allowedFor('meta/health', anyPage)).toBe('*')
    const { headers } = await read('org-policies/get', dashboard, adminKey)
    expect(headers.vary).toBe('origin')
    expect(headers['access-control-expose-headers']).toContain('x-request-id')
    expect(headers['access-control-allow-credentials']).toBeUndefined()
  })

  test('of a publishable key is judged by the list of the key', async () => {
    const org = await makeOrg()
    const { api_key } = await makeKey(org, { allowed_origins: [anyPage] }, 'api-keys/create-publishable-key')
    expect((await read('api-keys/scopes', anyPage, api_key)).status).toBe(200)
    const refused = await read('api-keys/scopes', 'https://evil.example', api_key)
    expectProblem(refused, 'forbidden')
    expect(refused.headers['access-control-allow-origin']).toBe('*')
  })
})
