/**
 * The reference in a real browser: it shows examples, sends requests, and asks no other host. Needs a Chromium (`CHROMIUM`,
 * or one where Linux puts it); where there is none it is skipped, and its title says so.
 */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { examples } from '../../docs/openapi.ts'
import { type Service, seed, startService } from '../../local/service.ts'
import { browserTimeoutMs, hasChromium, launchChromium, titleInBrowser } from '../support/chromium.ts'

describe.skipIf(!hasChromium)(titleInBrowser('the reference'), { timeout: browserTimeoutMs }, () => {
  let service: Service
  let browser: Browser
  let page: Page
  let key = ''
  const foreign: string[] = []

  beforeAll(async () => {
    service = await startService({ port: 0, tableName: process.env.TABLE_NAME ?? '' })
    const [org] = await seed(service)
    key = org?.api_keys.full_admin ?? ''
    browser = await launchChromium()
    page = await browser.newPage({ viewport: { width: 1280, height: 1400 } })
    page.setDefaultTimeout(browserTimeoutMs)
    page.on('request', (request) => {
      const url = new URL(request.url())
      if (url.hostname !== '127.0.0.1' && !/^(data|blob):/.test(url.protocol)) foreign.push(request.url())
    })
  })
  afterAll(async () => {
    await browser?.close()
    await service?.close()
  })

  const createKey = () => `${service.url}/api/v1/docs#v2/tag/api-keys/POST/api/v2/settings/api-keys`

  test('shows the example of a problem, and tries an operation with the example of its request', async () => {
    await page.goto(createKey())
    await page.getByRole('tab', { name: /401/ }).first().click()
    await page.getByText('/api/v1/docs#v2/description/authentication_failed').first().waitFor()
    await page
      .getByRole('button', { name: /Test Request \(post .*\/api-keys\)/ })
      .first()
      .click()
    await page.getByPlaceholder(/token/i).first().fill(key)
    const answered = page.waitForResponse((response) => response.url() === `${service.url}/api/v2/settings/api-keys`)
    await page.getByRole('button', { name: /^Send/ }).first().click()
    expect((await answered).status()).toBe(201)
  })

  test('fills in the id of a path with its example, and sends it', async () => {
    const { key_id = '' } = examples['api-keys/get']?.params ?? {}
    expect(key_id).toMatch(/^key_/)
    const path = '/api/v2/settings/api-keys'
    await page.goto('about:blank')
    await page.goto(`${service.url}/api/v1/docs#v2/tag/api-keys/GET${path}/{key_id}`)
    await page
      .getByRole('button', { name: new RegExp(`Test Request \\(get ${path}/\\{`) })
      .first()
      .click()
    const answered = page.waitForResponse((response) => response.url() === `${service.url}${path}/${key_id}`)
    await page.getByRole('button', { name: /^Send/ }).first().click()
    expect(await (await answered).json()).toMatchObject({
      code: expect.stringMatching(/not_found|authentication_failed/),
    })
  })

  test('fits a phone, where the type of a problem opens the section that says how to fix it; asks no other host', async () => {
    const refused = await fetch(`${service.url}/api/v2/settings/api-keys`)
    const { type, code } = (await refused.json()) as { type: string; code: string }
    await page.setViewportSize({ width: 390, height: 844 })
    await page.goto(`${service.url}/api/v1/docs`)
    await page.getByRole('heading', { name: 'Create an org key' }).first().waitFor()
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390)
    await page.goto('about:blank')
    await page.goto(new URL(type, service.url).href)
    const top = `document.getElementById('v2/description/${code}')?.getBoundingClientRect().top`
    // Not by `waitForFunction`: the page's policy forbids its eval.
    const isThere = () => page.evaluate(`scrollY > 0 && ${top} < innerHeight`)
    await vi.waitFor(async () => expect(await isThere()).toBe(true), { timeout: browserTimeoutMs, interval: 200 })
    await page.getByText('Send one credential').first().waitFor()
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390)
    expect(foreign).toEqual([])
  })
})
