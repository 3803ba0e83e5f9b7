/** The local service uses the local Stripe, unless it has the test key of a real account. */

import { stripeSecretKey } from '@octomil/local-stripe'
import { afterEach, expect, test } from 'vitest'
import { startService } from '../../local/service.ts'
import { clientOf } from '../../local-stripe/test/local-stripe.ts'

const names = ['STRIPE_SECRET_KEY', 'STRIPE_WEBHOOK_SECRET', 'STRIPE_API_URL'] as const
const before = names.map((name) => [name, process.env[name]] as const)

afterEach(() => {
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
})

const options = { port: 0, tableName: process.env.TABLE_NAME ?? '' }

test('without a key it is the one beside the service, at the same port', async () => {
  for (const name of names) delete process.env[name]
  const service = await startService(options)
  expect(names.map((name) => process.env[name])).toEqual([
    stripeSecretKey,
    expect.stringMatching(/^whsec_/),
    service.url,
  ])
  const client = clientOf(process.env.STRIPE_API_URL ?? '', 0, stripeSecretKey)
  expect((await client.prices.list({ lookup_keys: ['octomil_team_monthly'] })).data).toHaveLength(1)
  expect((await fetch(`${service.url}/local/stripe`)).status).toBe(200)
  expect((await fetch(`${service.url}/v1x`)).status).toBe(404)
  await service.close()
})

test('a real account’s test key and webhook secret are left as they are, and Stripe’s address is Stripe’s', async () => {
  for (const name of names) delete process.env[name]
  process.env.STRIPE_SECRET_KEY = 'sk_test_of_a_real_account'
  process.env.STRIPE_WEBHOOK_SECRET = 'whsec_of_stripe_listen'
  const service = await startService(options)
  expect(names.map((name) => process.env[name])).toEqual([
    'sk_test_of_a_real_account',
    'whsec_of_stripe_listen',
    undefined,
  ])
  await service.close()
})

test('a live key does not start', async () => {
  process.env.STRIPE_SECRET_KEY = 'sk_live_real_money'
  await expect(startService(options)).rejects.toThrow('must be a test key')
})
