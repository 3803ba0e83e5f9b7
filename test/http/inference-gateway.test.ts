/** The example of a data plane, against the local or the deployed API. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { SettingsClient } from '../../client/src/index.ts'
import { createGateway } from '../../examples/inference-gateway/gateway.ts'
import { busyClient, clientOf, openTarget, orgsOf, through } from './target.ts'

let settings: SettingsClient
let gateway: ReturnType<typeof createGateway>
let targetId: string
/** Requests that reached the runtime, with their headers. */
const received: { url: string; headers: object; body: string }[] = []
const runtime = createServer(async (request, response) => {
  let body = ''
  for await (const chunk of request) body += chunk
  received.push({ url: request.url ?? '', headers: request.headers, body })
  const status = request.url === '/v1/broken' ? 500 : 200
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ model: 'llama' }))
})

beforeAll(async () => {
  const target = await openTarget()
  const { globex } = orgsOf(target)
  settings = await busyClient(target, globex, [
    'keys:write',
    'execution:read',
    'execution:write',
    'cloud:inference',
    'settings:write',
    'usage:read',
  ])
  const admin = clientOf(target, globex.api_keys.full_admin)
  const scopes = ['keys:introspect', 'usage:write', 'telemetry:write'] as const
  const body = { name: 'gateway', scopes: [...scopes], rate_limit_per_minute: 100_000 }
  const { data: key } = await admin.POST('/api/v2/settings/api-keys', { body })
  runtime.listen(0, '127.0.0.1')
  await once(runtime, 'listening')
  const runtimeUrl = `http://127.0.0.1:${(runtime.address() as AddressInfo).port}`
  const registered = { name: 'example', endpoint: 'https://runtime.example.com', runtime: 'ollama' as const }
  const { data: local } = await settings.POST('/api/v2/settings/execution/local-targets', { body: registered })
  targetId = local.id
  const fetch = through(target)
  gateway = createGateway({ settingsUrl: target.url, credential: key.api_key ?? '', runtimeUrl, targetId, fetch })
})
afterAll(() => {
  runtime.close()
})

const appKey = async (): Promise<{ id: string; key: string }> => {
  const body = { name: 'caller', scopes: ['cloud:inference' as const] }
  const { data } = await settings.POST('/api/v2/settings/api-keys', { body })
  return { id: data.id, key: data.api_key ?? '' }
}
const call = (key: string | undefined, path = '/v1/chat/completions', init: RequestInit = {}) =>
  gateway.app.request(path, { ...init, headers: key ? { authorization: `Bearer ${key}` } : {} })
const usedRequests = async () => (await settings.GET('/api/v2/settings/usage')).data.data.hosted_requests_monthly.used

test('the gateway passes a request with a usable key, counts it, and keeps the key from the runtime', async () => {
  const { key } = await appKey()
  const before = await usedRequests()
  const answer = await call(key, '/v1/chat/completions?x=1', { method: 'POST', body: '{"model":"llama"}' })
  expect([answer.status, await answer.json()]).toEqual([200, { model: 'llama' }])
  const { url, headers, body } = received.at(-1) ?? { url: '', headers: {}, body: '' }
  expect([url, body]).toEqual(['/v1/chat/completions?x=1', '{"model":"llama"}'])
  expect(JSON.stringify(headers)).not.toContain(key)
  expect(await usedRequests()).toBe(before + 1)
})

test('the gateway refuses missing, unknown and unfit keys, and nothing reaches the runtime', async () => {
  const { key } = await appKey()
  const body = { name: 'reader', scopes: ['keys:write' as const] }
  const { data: unfit } = await settings.POST('/api/v2/settings/api-keys', { body })
  const before = received.length
  expect((await call(undefined)).status).toBe(401)
  expect((await call(`${key.slice(0, -1)}_`)).status).toBe(401)
  expect((await call(unfit.api_key)).status).toBe(403)
  expect(received).toHaveLength(before)
})

test('the gateway refuses requests beyond an enforced limit', async () => {
  const { key } = await appKey()
  const used = await usedRequests()
  const limits = (limit: number | null) => ({ hosted_requests_monthly: { limit, mode: 'enforce' as const } })
  await settings.PUT('/api/v2/settings/usage-limits', { body: { limits: limits(used + 1) } })
  const statuses = await Promise.all([1, 2, 3, 4].map(async () => (await call(key)).status))
  await settings.PUT('/api/v2/settings/usage-limits', { body: { limits: limits(null) } })
  expect(statuses.sort()).toEqual([200, 429, 429, 429])
})

test('the gateway reports the health of its runtime', async () => {
  const { key } = await appKey()
  expect((await call(key, '/v1/broken')).status).toBe(500)
  await gateway.close()
  const { data } = await settings.GET('/api/v2/settings/execution/health')
  const health = data.data.find(({ target_id }) => target_id === targetId)
  expect(health?.sample_count).toBeGreaterThan(1)
  expect(health?.failure_rate).toBeGreaterThan(0)
})
