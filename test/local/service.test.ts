/** The service on one machine: it is ready when it says so, and stops on a signal. */
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DecryptCommand, EncryptCommand, KMSClient } from '@aws-sdk/client-kms'
import { afterEach, describe, expect, test } from 'vitest'
import { createSettingsClient, type SettingsClient } from '../../client/src/index.ts'
import { freePort } from '../../local/engine.ts'
import { kmsKeyId } from '../../local/kms.ts'
import { type Service, seed, startService } from '../../local/service.ts'
import { writePrivateFile } from '../../local/state.ts'
import { httpTo } from '../http/target.ts'

const folder = mkdtempSync(join(tmpdir(), 'octomil-local-'))
const options = { port: 0, folder, tableName: process.env.TABLE_NAME ?? '' }
const running: Service[] = []
const start = async (more: object = {}) => {
  const service = await startService({ ...options, ...more })
  running.push(service)
  return service
}
afterEach(async () => {
  for (const service of running.splice(0)) await service.close()
})

describe('the local service', () => {
  test('a request that comes before everything is up waits and is answered', async () => {
    const port = await freePort()
    const starting = start({ port })
    const early = await untilAnswered(`http://127.0.0.1:${port}/api/v1/health`)
    expect(early).toBe(200)
    await starting
  })

  test('its address leads people to the reference', async () => {
    const { url } = await start()
    const answer = await fetch(url)
    expect([answer.status, answer.url, answer.headers.get('content-type')]).toEqual([
      200,
      `${url}/api/v1/docs`,
      expect.stringContaining('text/html'),
    ])
  })

  test('the reference has a token that works, for requests by a loopback name only, and never by itself', async () => {
    const service = await start()
    const [org] = await seed(service)
    const docs = `${service.url}/api/v1/docs`
    const tokenIn = (page: string) => /"token":"([^"]+)"/.exec(page.replaceAll('&quot;', '"'))?.[1]
    const plain = await (await fetch(docs)).text()
    expect([plain.includes('<script src="/local/reference.js">'), tokenIn(plain)]).toEqual([true, undefined])

    service.prefillReference(async () => org?.tokens.owner ?? '')
    const answer = await fetch(docs)
    const page = await answer.text()
    const settings = await fetch(`${service.url}/api/v2/settings`, {
      headers: { authorization: `Bearer ${tokenIn(page)}` },
    })
    expect(settings.status).toBe(200)
    expect(answer.headers.get('content-security-policy')).toContain("script-src 'self';")
    expect(answer.headers.get('cache-control')).toBe('no-store')
    const script = await fetch(`${service.url}/local/reference.js`)
    expect([script.status, script.headers.get('content-type')]).toEqual([200, 'text/javascript; charset=utf-8'])
    expect(await script.text()).toContain('createApiReference')

    const rebound = await httpTo({ url: service.url, host: 'evil.example' }, 'GET', '/api/v1/docs')
    expect([rebound.status, tokenIn(rebound.text)]).toEqual([200, undefined])
  })

  test('its routes are throttled when it is started with a throttle', async () => {
    const { url } = await start({ throttle: { rateLimit: 1, burstLimit: 2 } })
    const statuses = await Promise.all(
      Array.from({ length: 4 }, async () => (await fetch(`${url}/api/v2/settings`)).status),
    )
    expect(statuses.sort()).toEqual([401, 401, 429, 429])
  })

  test('a taken port is an error that says so, and nothing is left running', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as AddressInfo
    await expect(startService({ ...options, port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
    taken.close()
  })

  test('tokens and ciphertexts of one run are good in the next', async () => {
    const port = await freePort()
    const first = await start({ port })
    const [org] = await seed(first)
    const context = { org_id: 'org', record_id: 'record', purpose: 'sso' }
    const { CiphertextBlob } = await kms().send(
      new EncryptCommand({ KeyId: kmsKeyId, Plaintext: Buffer.from('kept'), EncryptionContext: context }),
    )
    await running.pop()?.close()
    const second = await start({ port })
    const scopes = await fetch(`${second.url}/api/v2/settings/api-keys/scopes`, {
      headers: { authorization: `Bearer ${org?.tokens.owner}` },
    })
    expect(scopes.status).toBe(200)
    const opened = await kms().send(new DecryptCommand({ CiphertextBlob, EncryptionContext: context }))
    expect(Buffer.from(opened.Plaintext ?? []).toString()).toBe('kept')
    await expect(
      kms().send(new DecryptCommand({ CiphertextBlob, EncryptionContext: { ...context, org_id: 'another' } })),
    ).rejects.toMatchObject({ name: 'InvalidCiphertextException' })
  })

  test('preflights are answered for the dashboards that are named, and for no other', async () => {
    const { url } = await start({ corsOrigins: ['https://dashboard.example.com'] })
    const preflight = (origin: string) =>
      fetch(`${url}/api/v2/settings/api-keys`, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'POST' },
      })
    const named = await preflight('https://dashboard.example.com')
    expect(named.status).toBe(204)
    expect(named.headers.get('access-control-allow-origin')).toBe('https://dashboard.example.com')
    expect(named.headers.get('access-control-allow-headers')).toContain('idempotency-key')
    expect((await preflight('https://evil.example')).headers.get('access-control-allow-origin')).toBeNull()
    const read = await fetch(`${url}/api/v1/health`, { headers: { origin: 'https://dashboard.example.com' } })
    expect(read.headers.get('access-control-expose-headers')).toContain('ratelimit')
  })

  test('a body that is not UTF-8 is refused and not repaired, wherever it is cut', async () => {
    const { url, ...service } = await start()
    const [org] = await seed({ url, ...service })
    const broken = ['e9', 'c0af', 'eda080', 'f09f98', 'e282', 'ff', 'f4908080'].map((hex) => Buffer.from(hex, 'hex'))
    for (const bytes of broken) {
      const answer = await fetch(`${url}/api/v2/settings/app-keys`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${org?.api_keys.full_admin}`,
          'content-type': 'application/json',
        },
        body: Buffer.concat([Buffer.from('{"app_id":"app","name":"x'), bytes, Buffer.from('"}')]),
      })
      const problem = (await answer.json()) as { detail: string }
      expect([answer.status, problem.detail], bytes.toString('hex')).toEqual([400, expect.stringContaining('UTF-8')])
    }
  })

  test('a purchase comes in by the event of the local Stripe, or by a sweep when its events are held back', async () => {
    const { url, stripe, events, ...service } = await start()
    const orgs = await seed({ url, stripe, events, ...service })
    const billing = '/api/v2/settings/billing'
    const [acme, globex] = orgs.map(({ tokens }) => createSettingsClient({ baseUrl: url, credential: tokens.owner }))
    if (!acme || !globex) throw new Error('there are no two organizations')
    const buy = async (client: SettingsClient) => {
      const { data } = await client.POST(`${billing}/checkout`, { body: { plan: 'team', interval: 'monthly' } })
      const card = { number: '4242424242424242', expiry: '12/40', cvc: '123', email: 'buyer@example.com' }
      const paid = await fetch(data.url, { method: 'POST', body: new URLSearchParams(card), redirect: 'manual' })
      expect(paid.status).toBe(303)
    }
    const subscriptionOf = async (client: SettingsClient) => (await client.GET(billing)).data.subscription

    await buy(acme)
    await stripe.webhooks.idle()
    await events.idle()
    expect(await subscriptionOf(acme)).toMatchObject({ status: 'active' })

    stripe.webhooks.pause()
    await buy(globex)
    await stripe.webhooks.idle()
    expect(await subscriptionOf(globex)).toBeNull()
    const swept = await fetch(`${url}/local/events/sweep`, { method: 'POST' })
    expect([swept.status, await swept.json()]).toEqual([200, { swept: true }])
    expect(await subscriptionOf(globex)).toMatchObject({ status: 'active' })
    expect(events.deadLetters).toEqual([])
  })

  test('what it writes of keys and tokens only its owner can read', () => {
    const file = join(folder, 'private.json')
    writePrivateFile(file, '{}')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(statSync(join(folder, 'issuer-key.json')).mode & 0o777).toBe(0o600)
    expect(readFileSync(file, 'utf8')).toBe('{}')
    rmSync(folder, { recursive: true })
  })
})

const kms = () => new KMSClient({ endpoint: process.env.AWS_ENDPOINT_URL_KMS ?? '' })

/** The status of the first answer, retrying only until the service listens. */
async function untilAnswered(url: string): Promise<number> {
  for (;;) {
    try {
      return await statusOf(url)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') throw error
    }
  }
}

const statusOf = (url: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const request = httpRequest(url, { timeout: 5000 }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    request.on('timeout', () => request.destroy(new Error('no answer')))
    request.on('error', reject)
    request.end()
  })
