/**
 * The reference as it is deployed, in a real browser: the page from its function, the script from a server that sends the
 * headers of the web distribution. Needs a Chromium, as `page.test.ts` does.
 */
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { assetHeaders } from '../../lib/web-headers.ts'
import { webSite } from '../../lib/web-site.ts'
import { createGateway } from '../../local/gateway.ts'
import { environmentNames } from '../../shared/runtime/environment.ts'
import { browserTimeoutMs, hasChromium, launchChromium, titleInBrowser } from '../support/chromium.ts'

const { reference, files } = webSite()

/** The headers that CloudFront adds to an asset by its response headers policy; strict transport needs TLS, which tests lack. */
function headersOfAssets(): Record<string, string> {
  const { securityHeadersBehavior, customHeadersBehavior, corsBehavior } = assetHeaders
  const custom = customHeadersBehavior?.customHeaders.map(({ header, value }) => [header, value]) ?? []
  return {
    ...Object.fromEntries(custom),
    'content-security-policy': securityHeadersBehavior?.contentSecurityPolicy?.contentSecurityPolicy ?? '',
    'x-content-type-options': 'nosniff',
    'referrer-policy': String(securityHeadersBehavior?.referrerPolicy?.referrerPolicy),
    'access-control-allow-origin': corsBehavior?.accessControlAllowOrigins.join(',') ?? '',
    'content-type': 'application/javascript',
  }
}

describe.skipIf(!hasChromium)(titleInBrowser('the deployed reference'), { timeout: browserTimeoutMs }, () => {
  const servers: Server[] = []
  let browser: Browser
  let api = ''
  let web = ''
  let script = files.get(reference.path)
  const asked: string[] = []

  beforeAll(async () => {
    browser = await launchChromium()
    web = await listen((_request, response) => response.writeHead(200, headersOfAssets()).end(script))
    const gateway = createGateway()
    api = await listen((request, response) => {
      asked.push(request.url ?? '')
      return gateway(request, response)
    })
    vi.stubEnv(environmentNames.referenceScriptUrl, `${web}/${reference.path}`)
    vi.stubEnv(environmentNames.referenceScriptIntegrity, reference.integrity)
  })
  afterAll(async () => {
    vi.unstubAllEnvs()
    await browser?.close()
    for (const server of servers) server.close()
  })

  async function listen(listener: RequestListener): Promise<string> {
    const server = createServer(listener)
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  /** Opens the page, and hands back what it asks of other hosts and what its policy refuses. */
  async function open(): Promise<{ page: Page; foreign: string[]; refused: string[] }> {
    const page = await browser.newPage()
    page.setDefaultTimeout(browserTimeoutMs)
    const [foreign, refused]: [string[], string[]] = [[], []]
    page.on('request', (request) => {
      const { origin, protocol } = new URL(request.url())
      if (![api, web].includes(origin) && !/^(data|blob):/.test(protocol)) foreign.push(request.url())
    })
    page.on('console', (message) => {
      if (message.type() === 'error') refused.push(message.text())
    })
    await page.goto(`${api}/api/v1/docs`)
    return { page, foreign, refused }
  }

  test('draws the reference within its policy, and asks no other host', async () => {
    const { page, foreign, refused } = await open()
    await page.getByRole('heading', { name: 'Create an org key' }).first().waitFor()
    expect(asked).toContain('/api/v2/openapi.json')
    expect([foreign, refused]).toEqual([[], []])
    await page.close()
  })

  test('runs no script whose bytes are not those of the release, and links the documents instead', async () => {
    script = Buffer.concat([script ?? Buffer.of(), Buffer.from('\nalert(1)')])
    const { page, refused } = await open()
    await page.getByRole('link', { name: 'Settings API (/api/v2)' }).waitFor()
    expect(refused.join('\n')).toMatch(/integrity/)
    expect(await page.evaluate('typeof Scalar')).toBe('undefined')
    await page.close()
  })
})
