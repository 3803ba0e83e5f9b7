/**
 * Buys, fails, changes and cancels a plan in a real browser against the whole local service. Needs a Chromium (`CHROMIUM`, or
 * an installed one); without it the tests are skipped, and their title says so.
 */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Service, seed, startService } from '../../local/service.ts'
import { browserTimeoutMs, hasChromium, launchChromium, titleInBrowser } from '../support/chromium.ts'

interface Billing {
  plan: { code: string; limits: { max_devices: number } }
  plan_source: string
  subscription: { status: string; interval: string; quantity: number; cancel_at: string | null } | null
}

describe.skipIf(!hasChromium)(titleInBrowser('in a browser'), { timeout: browserTimeoutMs }, () => {
  let service: Service
  let browser: Browser
  let page: Page
  let token = ''
  const foreign: string[] = []

  beforeAll(async () => {
    service = await startService({ port: 0, tableName: process.env.TABLE_NAME ?? '' })
    const [org] = await seed(service)
    token = org?.tokens.owner ?? ''
    browser = await launchChromium()
    page = await browser.newPage()
    page.setDefaultTimeout(browserTimeoutMs)
    page.on('request', (request) => {
      if (new URL(request.url()).hostname !== '127.0.0.1' && !request.url().startsWith('data:'))
        foreign.push(request.url())
    })
  })
  afterAll(async () => {
    await browser?.close()
    await service?.close()
  })

  async function call<T>(method: string, path: string, body?: object): Promise<T> {
    const response = await fetch(`${service.url}/api/v2/settings/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
    return (await response.json()) as T
  }

  /** The billing state as soon as the events have brought it about, ten seconds at most. */
  async function billingOnce(holds: (billing: Billing) => boolean): Promise<Billing> {
    for (let tries = 0; tries < 100; tries += 1) {
      const billing = await call<Billing>('GET', 'billing')
      if (holds(billing)) return billing
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    throw new Error(`it stayed ${JSON.stringify(await call('GET', 'billing'))}`)
  }

  async function payWith(number: string): Promise<void> {
    await page.getByLabel('Card number').fill(number)
    await page.getByLabel('Expiry (MM / YY)').fill('12 / 34')
    await page.getByLabel('CVC').fill('123')
    await page.getByRole('button', { name: 'Subscribe' }).click()
  }

  const openPortal = async () => page.goto((await call<{ url: string }>('POST', 'billing/portal', {})).url)

  test('a declined card buys nothing; a good one buys the plan, and reconcile and events agree on it', async () => {
    const checkout = await call<{ url: string }>('POST', 'billing/checkout', { plan: 'team', interval: 'monthly' })
    await page.goto(checkout.url)
    await payWith('4000 0000 0000 0002')
    expect(await page.getByRole('alert').textContent()).toBe('Your card was declined.')
    expect((await call<Billing>('GET', 'billing')).plan.code).toBe('free')
    await payWith('4242 4242 4242 4242')
    await page.waitForURL(/session_id=/)
    const session_id = new URL(page.url()).searchParams.get('session_id')
    const { checkout: status, ...reconciled } = await call<Billing & { checkout: object }>(
      'POST',
      'billing/checkout/reconcile',
      { session_id },
    )
    expect(status).toEqual({ status: 'complete', payment_status: 'paid' })
    expect(reconciled).toMatchObject({
      plan: { code: 'team' },
      plan_source: 'stripe',
      subscription: { status: 'active' },
    })
    await service.stripe.webhooks.idle()
    const { plan, plan_source, subscription } = await billingOnce(({ plan }) => plan.code === 'team')
    expect({ plan, plan_source, subscription }).toEqual({
      plan: reconciled.plan,
      plan_source: reconciled.plan_source,
      subscription: reconciled.subscription,
    })
  })

  test('the plan changes in the portal, and the invoices show it', async () => {
    await openPortal()
    await page.getByText('Change plan').click()
    await page.getByLabel('$11,520.00 per year').check()
    await page.getByLabel('Quantity').fill('2')
    await page.getByRole('button', { name: 'Update plan' }).click()
    await page.getByText('$23,040.00').first().waitFor()
    const { subscription } = await billingOnce((billing) => billing.subscription?.interval === 'annual')
    expect(subscription?.quantity).toBe(2)
  })

  test('canceled in the portal, the plan goes on to its end; then limits and gates are those of free again', async () => {
    await openPortal()
    await page.getByText('Cancel plan').first().click()
    await page.getByRole('button', { name: 'Cancel plan' }).click()
    await page.getByRole('button', { name: 'Don’t cancel plan' }).waitFor()
    const canceled = await billingOnce(({ subscription }) => Boolean(subscription?.cancel_at))
    expect(canceled).toMatchObject({ plan: { code: 'team', limits: { max_devices: 1000 } } })
    service.stripe.engine.advance({ days: 370 })
    const ended = await billingOnce(({ plan }) => plan.code === 'free')
    expect(ended.plan.limits.max_devices).toBe(25)
  })

  test('no page asked any other host for anything', () => {
    expect(foreign).toEqual([])
  })

  test.each([1280, 390])('at %i pixels nothing is wider than the window', async (width) => {
    await page.setViewportSize({ width, height: 900 })
    await openPortal()
    for (const summary of await page.locator('summary').all()) await summary.click()
    const beyond = () => page.locator('html').evaluate((root) => root.scrollWidth - root.clientWidth)
    expect(await beyond()).toBe(0)
    await page.goto(`${service.url}/local/stripe`)
    expect(await beyond()).toBe(0)
  })
})
