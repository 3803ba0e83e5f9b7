/** The local Stripe's file survives a restart, and only its owner can read it. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { startTestStripe, subscriber } from './local-stripe.ts'

const folder = mkdtempSync(join(tmpdir(), 'octomil-stripe-'))
const file = join(folder, 'stripe.json')
afterAll(() => rmSync(folder, { recursive: true }))

test('state and clock survive a restart and continue', async () => {
  const first = await startTestStripe({ folder })
  const { customer, subscription } = await subscriber(first)
  await first.control('POST', 'card', { customer, fails: true })
  await first.control('POST', 'advance', { days: 10 })
  const kept = await first.client.subscriptions.retrieve(subscription)
  await first.close()
  const second = await startTestStripe({ folder, seed: 'another' })
  expect(await second.client.subscriptions.retrieve(subscription)).toEqual(kept)
  expect(kept.items.data[0]?.price.unit_amount_decimal?.toString()).toBe('120000')
  const { body } = await second.control('GET', 'clock')
  expect(body.now).toBe('2026-02-10T12:00:00.000Z')
  // Ids continue: a new id is not an old one.
  const { id } = await second.client.customers.create()
  expect(id).not.toBe(customer)
  await second.control('POST', 'advance', { days: 20 })
  expect(await second.client.subscriptions.retrieve(subscription)).toMatchObject({ status: 'past_due' })
})

test('only the owner can read the file, which is complete and written soon after a change', async () => {
  const stripe = await startTestStripe({ folder })
  await stripe.client.customers.create({ name: 'Kept' })
  const isKept = () => readFileSync(file, 'utf8').includes('"Kept"')
  await expect.poll(isKept, { timeout: 5000 }).toBe(true)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  await expect.poll(() => readdirSync(folder), { timeout: 5000 }).toEqual(['stripe.json'])
})

test('an unreadable file is an error that names the fix', async () => {
  writeFileSync(file, '{"half":')
  await expect(startTestStripe({ folder })).rejects.toThrow('--fresh')
})
