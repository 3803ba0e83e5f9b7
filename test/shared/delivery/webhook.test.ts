/** Webhooks against two verifiers of Standard Webhooks, neither of which is ours. */
import { Webhook as StandardWebhook } from 'standardwebhooks'
import { Webhook as SvixWebhook } from 'svix'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { renderEvent } from '../../../shared/delivery/event.ts'
import { requestOf } from '../../../shared/delivery/formats.ts'
import { revealed } from '../../../shared/delivery/request.ts'
import { isSigningSecret, signingKey } from '../../../shared/integrations/signing-secret.ts'
import { Secret } from '../../../shared/secrets/secret.ts'
import { configs, event, now, sent, signingSecret } from './sample.ts'

beforeEach(() => {
  vi.useFakeTimers({ now, toFake: ['Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** The published example of the reference implementation: test "sign function works" of standardwebhooks, libraries/javascript. */
const published = {
  secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  timestamp: new Date(1614265330 * 1000),
  signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
}

describe('a webhook', () => {
  test.each([
    ['standardwebhooks', (secret: string) => new StandardWebhook(secret)],
    ['svix', (secret: string) => new SvixWebhook(secret)],
  ])('is verified by %s', (_name, verifierOf) => {
    const { headers, text } = sent('webhook')
    expect(() => verifierOf(signingSecret).verify(text, headers)).not.toThrow()
    expect(JSON.parse(text)).toEqual({ type: 'api_key.created', timestamp: event.timestamp, data: event })
    expect(() => verifierOf(signingSecret).verify(`${text} `, headers)).toThrow()
  })

  test('with another text as secret is signed with its UTF-8', () => {
    const secret = 'sixteen letters ü'
    const { headers, text } = sent('webhook', { config: { signing_secret: new Secret(secret) } })
    const verifier = new StandardWebhook(Buffer.from(secret, 'utf8').toString('base64'))
    expect(verifier.verify(text, headers)).toMatchObject({ type: 'api_key.created' })
  })

  test('has the signature of the replaced secret second', () => {
    const former = `whsec_${Buffer.alloc(24, 1).toString('base64')}`
    const { headers, text } = sent('webhook', { options: { replacedSecret: new Secret(former) } })
    const [first, second, ...more] = (headers['webhook-signature'] ?? '').split(' ')
    expect(more).toEqual([])
    for (const [signature, secret] of [
      [first, signingSecret],
      [second, former],
    ] as const) {
      const verifier = new StandardWebhook(secret)
      expect(verifier.verify(text, { ...headers, 'webhook-signature': signature ?? '' })).toBeTruthy()
    }
  })

  test('sends the same bytes on each attempt, under the same id, with a new timestamp', () => {
    const later = new Date(now.getTime() + 3_600_000)
    const attempts = [
      { at: now, sealed: null },
      { at: later, sealed: 7 },
    ]
    const [first, second] = attempts.map(({ at, sealed }) =>
      revealed(requestOf('webhook', configs.webhook, renderEvent({ ...event, sealed }), { now: at })),
    )
    expect(second?.body.equals(first?.body ?? Buffer.alloc(0))).toBe(true)
    expect(second?.headers['webhook-id']).toBe(event.id)
    expect(second?.headers['webhook-timestamp']).toBe(String(Math.floor(later.getTime() / 1000)))
    expect(first?.headers['webhook-timestamp']).toBe(String(Math.floor(now.getTime() / 1000)))
  })

  test('has the configured headers, and never `sealed`', () => {
    const { url, headers } = sent('webhook')
    expect(url).toBe('https://hooks.acme.io/octomil/3f9a7c21')
    expect(headers).toMatchObject({ 'X-Team': 'platform-4711', 'content-type': 'application/json' })
    expect(renderEvent({ ...event, sealed: 7 }).data).not.toContain('sealed')
  })

  test('the key of the published example gives its published signature', () => {
    const verifier = new StandardWebhook(signingKey(published.secret).toString('base64'))
    const { id, timestamp, signature } = published
    expect(verifier.sign(id, timestamp, '{"test": 2432232314}')).toBe(signature)
  })
})

test.each([
  [`whsec_${Buffer.alloc(24, 250).toString('base64')}`, true],
  [`whsec_${Buffer.alloc(64, 250).toString('base64')}`, true],
  [`whsec_${Buffer.alloc(23, 250).toString('base64')}`, false],
  [`whsec_${Buffer.alloc(65, 250).toString('base64')}`, false],
  [`whsec_${Buffer.alloc(32, 250).toString('base64url')}`, false],
  ['whsec_not base64 at all, but long enough', false],
  ['any other text', true],
])('the signing secret %s is taken: %s', (secret, taken) => {
  expect(isSigningSecret(secret)).toBe(taken)
})
