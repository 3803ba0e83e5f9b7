/** Where Stripe's secrets come from, how long they are believed, and that they stay where they belong. */
import { GetSecretValueCommand, ResourceNotFoundException, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { isLivemode, renewedStripeSecrets, stripeSecrets } from '../../../shared/stripe/secrets.ts'
import { logLines } from '../../support/logs.ts'
import { mockClientHere } from '../../support/mock-client.ts'

const manager = mockClientHere(SecretsManagerClient)
let arns = 0
beforeEach(() => {
  manager.reset()
  vi.useFakeTimers({ toFake: ['Date'] })
  vi.stubEnv('STRIPE_SECRET_KEY', '')
  vi.stubEnv('STRIPE_WEBHOOK_SECRET', '')
  // A secret of another name is another secret: nothing is remembered of the test before.
  vi.stubEnv('STRIPE_SECRET_ARN', `arn:aws:secretsmanager:us-east-1:1:secret:stripe-${arns++}`)
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
})

const stored = (value: object | string) =>
  manager
    .on(GetSecretValueCommand)
    .resolves({ SecretString: typeof value === 'string' ? value : JSON.stringify(value) })
const reads = () => manager.commandCalls(GetSecretValueCommand).length
const later = (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1000)
const both = { secret_key: 'sk_test_1', webhook_secrets: ['whsec_1', 'whsec_2'] }

describe('in the environment', () => {
  test('they win, several webhook secrets separated by commas', async () => {
    vi.stubEnv('STRIPE_SECRET_KEY', ' sk_test_env ')
    vi.stubEnv('STRIPE_WEBHOOK_SECRET', 'whsec_old, whsec_new,')
    expect(await stripeSecrets()).toEqual({ secretKey: 'sk_test_env', webhookSecrets: ['whsec_old', 'whsec_new'] })
    expect(await renewedStripeSecrets()).toEqual(await stripeSecrets())
    expect(reads()).toBe(0)
  })

  test('and nowhere else, there may be none', async () => {
    vi.stubEnv('STRIPE_SECRET_ARN', '')
    expect(await stripeSecrets()).toEqual({ webhookSecrets: [] })
  })
})

describe('in Secrets Manager', () => {
  test('they are read once for five minutes, however many ask', async () => {
    stored(both)
    const wanted = { secretKey: 'sk_test_1', webhookSecrets: ['whsec_1', 'whsec_2'] }
    expect(await Promise.all([stripeSecrets(), stripeSecrets(), stripeSecrets()])).toEqual([wanted, wanted, wanted])
    later(299)
    await stripeSecrets()
    expect(reads()).toBe(1)
    later(1)
    await stripeSecrets()
    expect(reads()).toBe(2)
    expect(manager.commandCalls(GetSecretValueCommand)[0]?.args[0].input.SecretId).toBe(process.env.STRIPE_SECRET_ARN)
  })

  test('a refused secret is read again immediately, but at most every 30 seconds', async () => {
    stored(both)
    await stripeSecrets()
    stored({ ...both, secret_key: 'sk_test_2' })
    later(29)
    expect((await renewedStripeSecrets()).secretKey).toBe('sk_test_1')
    later(1)
    expect((await renewedStripeSecrets()).secretKey).toBe('sk_test_2')
    for (let index = 0; index < 50; index++) await renewedStripeSecrets()
    expect(reads()).toBe(2)
    expect((await stripeSecrets()).secretKey).toBe('sk_test_2')
  })

  test('a failure is not remembered', async () => {
    manager
      .on(GetSecretValueCommand)
      .rejectsOnce(new Error('a fault of the test'))
      .resolves({ SecretString: JSON.stringify(both) })
    await expect(stripeSecrets()).rejects.toThrow('a fault of the test')
    expect((await stripeSecrets()).secretKey).toBe('sk_test_1')
  })

  test('those of before are used on while Secrets Manager fails', async () => {
    stored(both)
    await stripeSecrets()
    manager.on(GetSecretValueCommand).rejects(new Error('a fault of the test'))
    later(301)
    expect((await stripeSecrets()).secretKey).toBe('sk_test_1')
    later(31)
    expect((await renewedStripeSecrets()).secretKey).toBe('sk_test_1')
    stored({ ...both, secret_key: 'sk_test_2' })
    later(31)
    expect((await renewedStripeSecrets()).secretKey).toBe('sk_test_2')
  })

  test.each([
    ['was made and never filled', new ResourceNotFoundException({ message: 'no value', $metadata: {} })],
    ['is empty', ''],
    ['has empty fields', { secret_key: ' ', webhook_secrets: ['', ' '] }],
    ['has no fields', {}],
  ])('a secret that %s is none', async (_what, value) => {
    if (value instanceof Error) manager.on(GetSecretValueCommand).rejects(value)
    else stored(value)
    expect(await stripeSecrets()).toEqual({ webhookSecrets: [] })
  })

  test.each([
    'sk_live_pasted_alone',
    '{"secret_key":"sk_live_cut',
    '["sk_live_list"]',
    '{"secret_key":7,"webhook_secrets":"whsec_text"}',
  ])('a malformed secret counts as absent, and no log line quotes it: %s', async (text) => {
    stored(text)
    const from = logLines.length
    expect(await stripeSecrets()).toEqual({ webhookSecrets: [] })
    const lines = logLines.slice(from).join('')
    expect(lines).toContain('secret_key')
    expect(lines).not.toMatch(/sk_live|whsec_text/)
  })
})

test.each([
  ['sk_live_1', true],
  ['rk_live_1', true],
  ['sk_test_1', false],
  ['rk_test_1', false],
  ['sk_test_live_', false],
])('%s is of live mode: %s', (key, live) => {
  expect(isLivemode(key)).toBe(live)
})
