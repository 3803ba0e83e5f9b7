/**
 * The client in a browser, on a dashboard of another origin: what it sends passes the preflight, and it may read what it
 * needs of the answers. Needs a Chromium (`CHROMIUM`, or one where Linux puts it); where there is none it is skipped, and
 * its title says so.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { build } from 'esbuild'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Service, seed, startService } from '../../local/service.ts'
import { browserTimeoutMs, hasChromium, launchChromium, titleInBrowser } from '../support/chromium.ts'

/** What the bundle is in the page. */
declare const octomil: typeof import('../../client/src/index.ts')

describe.skipIf(!hasChromium)(titleInBrowser('the client in a browser'), { timeout: browserTimeoutMs }, () => {
  const dashboard = createServer()
  let service: Service
  let browser: Browser
  let page: Page

  beforeAll(async () => {
    const { outputFiles } = await build({
      ...{ entryPoints: ['client/src/index.ts'], bundle: true, write: false, format: 'iife', globalName: 'octomil' },
    })
    dashboard.on('request', (_request, response) => {
      response.setHeader('content-type', 'text/html')
      response.end(`<!doctype html><script>${outputFiles[0]?.text}</script>`)
    })
    await once(dashboard.listen(0, '127.0.0.1'), 'listening')
    const origin = `http://127.0.0.1:${(dashboard.address() as AddressInfo).port}`
    service = await startService({ port: 0, tableName: process.env.TABLE_NAME ?? '', corsOrigins: [origin] })
    browser = await launchChromium()
    page = await browser.newPage()
    page.setDefaultTimeout(browserTimeoutMs)
    await page.goto(origin)
  })
  afterAll(async () => {
    await browser?.close()
    await service?.close()
    dashboard.close()
  })

  test('reads, changes under If-Match, retries lost requests, and throws problems', async () => {
    const [org] = await seed(service)
    let attempts = 0
    await page.route(`${service.url}/**/app-keys`, (route) =>
      route.request().method() === 'POST' && attempts++ === 0 ? route.abort('connectionreset') : route.continue(),
    )
    const seen = await page.evaluate(
      async ({ baseUrl, credential }) => {
        const settings = octomil.createSettingsClient({ baseUrl, credential, retries: { baseDelayMs: 10 } })
        const { etag } = await settings.GET('/api/v2/settings/policies')
        const guarded = (privacy_mode: 'strict' | 'standard') =>
          settings.PATCH('/api/v2/settings/policies', {
            params: { header: { 'If-Match': etag } },
            body: { privacy_mode },
          })
        const changed = await guarded('strict')
        const stale = await guarded('standard').catch((error: unknown) => error)
        const params = { header: { 'Idempotency-Key': 'in-a-browser' } }
        const create = () =>
          settings.POST('/api/v2/settings/app-keys', { params, body: { name: 'browser', app_id: 'browser' } })
        const [created, again] = [await create(), await create()]
        return {
          status: changed.status,
          code: stale instanceof octomil.ProblemError && stale.code,
          created: [created.status, created.replayed, created.data.name],
          again: [again.status, again.replayed, again.data.id === created.data.id],
        }
      },
      { baseUrl: service.url, credential: org?.api_keys.full_admin },
    )
    expect(seen).toEqual({
      status: 200,
      code: 'precondition_failed',
      created: [201, false, 'browser'],
      again: [201, true, true],
    })
    // The first create took two.
    expect(attempts).toBe(3)
  })
})
