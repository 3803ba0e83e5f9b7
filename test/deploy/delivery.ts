/** That the event of a change arrives, signed, at a webhook on loopback: router and sender run under their own roles. */
import { strict as assert } from 'node:assert'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type SettingsClient, verifyWebhook } from '../../client/src/index.ts'
import { clientOf, orgsOf, type Target } from '../http/target.ts'

const withinMs = 30_000
const signing_secret = 'a-secret-of-the-deploy-test'
const integrations = '/api/v2/settings/integrations'

export async function proveDelivery(target: Target): Promise<void> {
  // The plan free has no webhooks.
  const client = clientOf(target, orgsOf(target).globex.api_keys.full_admin)
  const receiver = createServer().listen(0, '127.0.0.1')
  try {
    await once(receiver, 'listening')
    const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`
    const { data: integration } = await client.POST(integrations, {
      body: { type: 'webhook', name: 'arrival', config: { url, signing_secret }, event_types: ['api_key.created'] },
    })
    const [[request, response], { key, answeredMs }] = await Promise.all([arrivalAt(receiver), change(client)])
    const seconds = (Date.now() - answeredMs) / 1000
    const { type, data } = await verifyWebhook(request.headers, await bodyOf(request), signing_secret)
    response.writeHead(204).end()
    assert.deepEqual([type, data.resource.id], ['api_key.created', key])
    console.log(`the event of a change arrived after ${seconds.toFixed(1)} s, with a valid signature`)
    await client.DELETE(`${integrations}/{integration_id}`, { params: { path: { integration_id: integration.id } } })
  } finally {
    receiver.close()
    receiver.closeAllConnections()
  }
}

const arrivalAt = (receiver: Server): Promise<[IncomingMessage, ServerResponse]> =>
  once(receiver, 'request', { signal: AbortSignal.timeout(withinMs) }).then(
    ([request, response]) => [request, response],
    () => assert.fail(`no event arrived within ${withinMs / 1000} s`),
  )

async function change(client: SettingsClient): Promise<{ key: string; answeredMs: number }> {
  const body = { name: 'arrival', scopes: ['keys:read' as const] }
  const { data } = await client.POST('/api/v2/settings/api-keys', { body })
  return { key: data.id, answeredMs: Date.now() }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
