/** The smoke checks pass for a healthy service. Each check fails for a service with that fault. */
import { execFile } from 'node:child_process'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { stripeWebhookSecret } from '@octomil/local-stripe'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { runSmoke, type SmokeOptions, smokeCheckNames } from '../../bin/smoke-run.ts'
import { type Service, seed, startService } from '../../local/service.ts'
import { httpTo } from '../http/target.ts'
import type { BodyOf } from '../support/invoke.ts'
import { type Answer, type Break, type Passing, type SmokeProxy, startSmokeProxy } from './smoke-proxy.ts'

const keysPath = '/api/v2/settings/api-keys'
const scopesPath = `${keysPath}/scopes`
const webhookPath = '/api/v1/webhooks/stripe'
let service: Service
let proxy: SmokeProxy
let apiKey: string
/** Every line of every run. */
const printed: string[] = []

beforeAll(async () => {
  service = await startService({ port: 0, tableName: process.env.TABLE_NAME ?? '' })
  const [org] = await seed(service)
  apiKey = org?.api_keys.full_admin ?? ''
  proxy = await startSmokeProxy(service.url)
})
afterEach(() => {
  proxy.break = undefined
  proxy.passed.length = 0
})
afterAll(async () => {
  proxy.close()
  await service.close()
  expect(printed.filter((line) => /oct_[a-z]+_[a-z]+_[0-9A-Za-z]/.test(line) || line.includes('whsec_'))).toEqual([])
})

/** A run with all optional settings, through the proxy. */
async function smoke(options: Partial<SmokeOptions> = {}) {
  const lines: string[] = []
  const print = (line: string) => {
    lines.push(line)
    printed.push(line)
  }
  const { failed } = await runSmoke({
    ...{ url: proxy.url, stage: 'local', apiKey, webhookSecret: stripeWebhookSecret, print },
    ...options,
  })
  return { failed, lines }
}

const allBut = (name: string): string[] => smokeCheckNames.filter((other) => other !== name)
const smokeOnly = (name: string, options: Partial<SmokeOptions> = {}) => smoke({ skip: allBut(name), ...options })
const lineOf = (lines: readonly string[], name: string) => lines.find((line) => line.split(/[ :]+/)[1] === name)

/** Breaks the answers to one method and path, ignoring the query. */
const at =
  (method: string, path: string, change: Partial<Answer> | ((answer: Answer, passing: Passing) => Partial<Answer>)) =>
  (passing: Passing, answer: Answer): Partial<Answer> | undefined => {
    if (passing.method !== method || passing.path.split('?')[0] !== path) return undefined
    return typeof change === 'function' ? change(answer, passing) : change
  }

const without =
  (...names: string[]) =>
  ({ headers }: Answer): Partial<Answer> => ({
    headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name))),
  })
const withHeader =
  (name: string, value: string) =>
  ({ headers }: Answer): Partial<Answer> => ({ headers: { ...headers, [name]: value } })
const json = { 'content-type': 'application/json' }
const awsFailure = { status: 500, headers: json, body: '{"message":"Internal Server Error"}' }

const isOwnKey = ({ headers }: Passing) => headers.authorization !== `Bearer ${apiKey}`
/** Answers the last request with the new key as if the key still worked. */
const revokedKeyAccepted: Break = at('GET', scopesPath, (answer, passing) =>
  answer.status === 401 && isOwnKey(passing) ? { status: 200, body: '{}' } : {},
)

const breaks: readonly [check: string, what: string, how: Break, found: RegExp][] = [
  [
    'health',
    'health names another stage',
    at('GET', '/api/v1/health', ({ body }) => ({ body: body.replace('"local"', '"prod"') })),
    /expected stage local, got stage prod/,
  ],
  ['health', 'health fails', at('GET', '/api/v1/health', awsFailure), /expected 200 with status ok, got 500 "Internal/],
  [
    'unknown-path',
    'the gateway may not start the catch-all',
    at('GET', '/api/v2/smoke/no/such/path', awsFailure),
    /expected 404 not_found as application\/problem\+json, got 500 "Internal Server Error" as .*fix: compare SourceArn/,
  ],
  [
    'unknown-path',
    'an unknown path has the gateway’s own 404',
    at('GET', '/api/v2/smoke/no/such/path', { status: 404, headers: json, body: '{"message":"Not Found"}' }),
    /got 404 "Not Found" as application\/json/,
  ],
  [
    'misspelled-path',
    'no path is suggested',
    at('GET', '/api/v2/settings/api-kyes', ({ body }) => ({ body: body.replaceAll('did you mean', 'not') })),
    /expected a detail that contains \/api\/v2\/settings\/api-keys/,
  ],
  ['wrong-method', 'a wrong method has no Allow', at('DELETE', keysPath, without('allow')), /got Allow: absent/],
  [
    'wrong-method',
    'a wrong method has a wrong Allow',
    at('DELETE', keysPath, withHeader('allow', 'GET')),
    /got Allow: GET,/,
  ],
  [
    'preflight-open',
    'the gateway answers preflights itself',
    at('OPTIONS', scopesPath, { status: 403, headers: json, body: '{"message":"Forbidden"}' }),
    /got 403 "Forbidden", origin absent/,
  ],
  [
    'preflight-open',
    'an open preflight allows no header',
    at('OPTIONS', scopesPath, without('access-control-allow-headers')),
    /headers absent/,
  ],
  [
    'preflight-closed',
    'a closed preflight allows any origin',
    at('OPTIONS', keysPath, withHeader('access-control-allow-origin', '*')),
    /for an unknown origin, got 204, origin \*/,
  ],
  ['challenge', 'a 401 has no challenge', at('GET', keysPath, without('www-authenticate')), /got no such header/],
  ['challenge', 'a missing credential passes', at('GET', keysPath, { status: 200 }), /expected 401/],
  [
    'head',
    'HEAD has another ETag',
    at('HEAD', '/api/v2/openapi.json', withHeader('etag', '"other"')),
    /differing: etag/,
  ],
  ['head', 'HEAD has no route', at('HEAD', '/api/v2/openapi.json', { status: 404 }), /expected 200 .*got 404/],
  [
    'header-limit',
    'large headers pass',
    at('GET', '/api/v1/health', { status: 200, headers: json, body: '{}' }),
    /expected 4xx to 20 KiB of headers, got 200/,
  ],
  [
    'body-limit',
    'our limit of a body is a failure of ours',
    at('POST', webhookPath, awsFailure),
    /expected 413 payload_too_large/,
  ],
  [
    'gateway-body-limit',
    'a body of 10 MiB passes the gateway',
    at('POST', webhookPath, { status: 200 }),
    /expected 413 to more than 10 MiB, got 200/,
  ],
  [
    'openapi-v1',
    'the published document is cut off',
    at('GET', '/api/v1/openapi.json', ({ body }) => ({ body: body.slice(0, 1000) })),
    /expected 200 with an OpenAPI document at \/api\/v1\/openapi\.json, got 200,/,
  ],
  [
    'openapi-v2',
    'our document has no paths',
    at('GET', '/api/v2/openapi.json', { body: '{"openapi":"3.1.1","paths":{}}' }),
    /got 200,/,
  ],
  [
    'docs-page',
    'the page has no policy',
    at('GET', '/api/v1/docs', without('content-security-policy')),
    /expected a Content-Security-Policy with script-src, got none/,
  ],
  ['docs-page', 'the page is JSON', at('GET', '/api/v1/docs', { headers: json }), /got 200 as application\/json/],
  [
    'docs-script',
    'the script is missing',
    (passing, answer) =>
      passing.path === '/local/reference.js' ? { ...answer, status: 404, headers: json } : undefined,
    /expected 200 with a script, got 404 as application\/json/,
  ],
  [
    'key-life',
    'no key can be made',
    at('POST', keysPath, { status: 403, body: '{"code":"forbidden"}' }),
    /got 403 forb/,
  ],
  [
    'key-life',
    'a new key does not work',
    at('GET', scopesPath, { status: 401, body: '{"code":"invalid_api_key"}' }),
    /expected 200 with the new key, got 401 invalid_api_key/,
  ],
  ['key-life', 'a revoked key is accepted', revokedKeyAccepted, /expected 401 invalid_api_key .*got 200/],
  [
    'webhook-signed',
    'a signed event fails',
    at('POST', webhookPath, awsFailure),
    /expected 2xx to a signed event, got 500/,
  ],
  [
    'webhook-forged',
    'a forged event passes',
    at('POST', webhookPath, { status: 200, headers: json, body: '{"received":true}' }),
    /expected 400 invalid_input .*got 200/,
  ],
]

describe('a healthy service', () => {
  test('passes every check, directly and through the proxy', async () => {
    for (const url of [service.url, proxy.url]) {
      const { failed, lines } = await smoke({ url })
      expect(lines.filter((line) => !/^ok {3}[\w-]+ {2}\d+ ms/.test(line))).toEqual([])
      expect([failed, lines.length]).toEqual([0, smokeCheckNames.length])
    }
  })

  test('passes without an API key and a webhook secret, and names the missing variables', async () => {
    const { failed, lines } = await smoke({ apiKey: undefined, webhookSecret: undefined })
    expect(failed).toBe(0)
    expect(lines.filter((line) => line.startsWith('skip'))).toEqual([
      'skip key-life: set OCTOMIL_API_KEY to an org key with keys:write',
      'skip webhook-signed: set STRIPE_WEBHOOK_SECRET to the signing secret of the endpoint',
      'skip webhook-forged: set STRIPE_WEBHOOK_SECRET to the signing secret of the endpoint',
    ])
    expect(proxy.passed.filter(({ method, path }) => method === 'POST' && path !== webhookPath)).toEqual([])
  })

  test('gets a warning for a reference page without a script', async () => {
    proxy.break = at('GET', '/api/v1/docs', ({ body }) => ({ body: body.replace('src="', 'data-src="') }))
    const { failed, lines } = await smoke()
    expect([failed, lineOf(lines, 'docs-script')]).toEqual([0, expect.stringMatching(/^warn .*option web to on/)])
  })

  test('passes with redirected pages and a renamed challenge, and reports the renaming', async () => {
    proxy.break = (passing, answer) => {
      if (passing.path === '/api/v1/docs')
        return { status: 302, headers: { location: `${service.url}/api/v1/docs` }, body: '' }
      const { 'www-authenticate': sent, ...headers } = answer.headers
      return sent ? { headers: { ...headers, 'x-amzn-remapped-www-authenticate': sent } } : undefined
    }
    const { failed, lines } = await smoke()
    expect(failed).toBe(0)
    expect(lineOf(lines, 'challenge')).toMatch(/^ok .* renamed by API Gateway to x-amzn-remapped-www-authenticate$/)
  })
})

describe('a broken service', () => {
  test.each(breaks)('fails %s when %s', async (check, _what, how, found) => {
    proxy.break = how
    const { failed, lines } = await smokeOnly(check)
    expect(lineOf(lines, check)).toMatch(/^FAIL .*, fix: \S/)
    expect(lineOf(lines, check)).toMatch(found)
    expect(failed).toBe(1)
  })

  test('exists for every check', () => {
    expect([...new Set(breaks.map(([check]) => check))].sort()).toEqual([...smokeCheckNames].sort())
  })

  test('that is busy gets one retry after its Retry-After, then fails', async () => {
    let left = 1
    const busy = { status: 503, headers: { 'retry-after': '0.01' }, body: '' }
    proxy.break = () => (left-- > 0 ? busy : undefined)
    expect((await smokeOnly('health')).lines).toEqual(
      expect.arrayContaining(['wait 503: retrying in 0.01 s', expect.stringMatching(/^ok {3}health/)]),
    )
    left = 2
    const { failed, lines } = await smokeOnly('health')
    expect([failed, lineOf(lines, 'health')]).toEqual([1, expect.stringMatching(/got 503/)])
  })

  test('that is silent fails in time', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1')
    await new Promise((resolve) => silent.once('listening', resolve))
    const { port } = silent.address() as { port: number }
    const url = `http://127.0.0.1:${port}`
    const { failed, lines } = await smoke({ url, timeoutMs: 50 })
    silent.close()
    expect([failed, lines[0]]).toEqual([1, expect.stringMatching(/^FAIL health: expected an answer, got no answer in/)])
    expect(lines.slice(1)).toEqual(allBut('health').map((name) => `skip ${name}: ${url} does not answer`))
  })

  test('that is slow fails the checks that have no time left', async () => {
    proxy.break = () => new Promise<undefined>((resolve) => setTimeout(resolve, 100, undefined))
    const { failed, lines } = await smoke({ budgetMs: 400 })
    expect(failed).toBeGreaterThan(1)
    expect(lines.at(-1)).toMatch(/^FAIL webhook-forged: expected all checks within 0\.4 s, got no time left/)
  })

  test('that is unreachable fails the first check, and the others are skipped', async () => {
    const { failed, lines } = await smoke({ url: 'http://127.0.0.1:9' })
    expect([failed, lines[0]]).toEqual([
      1,
      expect.stringMatching(/got no answer: ECONNREFUSED, fix: check the address/),
    ])
    expect(lines[1]).toBe('skip unknown-path: http://127.0.0.1:9 does not answer')
  })
})

describe('the key of the check', () => {
  const usable = async (): Promise<{ id: string; name: string; expires_at: string }[]> =>
    (await httpTo<BodyOf<'api-keys/list'>>(service, 'GET', `${keysPath}?state=active&limit=100`, { token: apiKey }))
      .body.data

  /** Runs the check against a broken service, and finds the usable keys that it leaves. */
  async function runWith(how: Break) {
    const before = new Set((await usable()).map(({ id }) => id))
    proxy.break = how
    const { failed, lines } = await smokeOnly('key-life')
    expect(failed).toBe(1)
    return { line: lineOf(lines, 'key-life'), left: (await usable()).filter(({ id }) => !before.has(id)) }
  }
  const resetAt =
    (path: string): Break =>
    (passing) =>
      passing.path.endsWith(path) ? 'reset' : undefined

  test('is revoked if it does not work, works after revocation, or its use gets no answer', async () => {
    const doesNotWork: Break = at('GET', scopesPath, { status: 401 })
    for (const how of [doesNotWork, revokedKeyAccepted, resetAt('/scopes')]) {
      expect((await runWith(how)).left).toEqual([])
    }
  })

  test('expires within ten minutes if the answer with its id is lost', async () => {
    const { line, left } = await runWith(resetAt('/api-keys'))
    expect(line).toMatch(/got no answer: ECONNRESET/)
    expect(left).toEqual([expect.objectContaining({ name: expect.stringMatching(/^smoke 20/) })])
    expect(Date.parse(left[0]?.expires_at ?? '') - Date.now()).toBeLessThan(10 * 60_000)
  })

  test('is named, with the fix, if its revocation is not confirmed', async () => {
    const { line } = await runWith((passing) => (passing.path.endsWith('/revoke') ? awsFailure : undefined))
    expect(line).toMatch(/got key_\w+, usable until 20.*, fix: revoke it by hand: POST .*\/key_\w+\/revoke/)
  })
})

test('the event is sent again in live mode if the stage has a live key', async () => {
  const served: number[] = []
  proxy.break = at('POST', webhookPath, (answer) => {
    served.push(answer.status)
    const wrongMode = '{"code":"invalid_input","errors":[{"path":"livemode","code":"wrong_mode"}]}'
    return served.length === 1
      ? { status: 400, headers: json, body: wrongMode }
      : { status: 200, headers: json, body: '{"received":true}' }
  })
  expect((await smokeOnly('webhook-signed')).failed).toBe(0)
  // The local Stripe is in test mode: it takes the first and refuses the second.
  expect(served).toEqual([200, 400])
})

test('requests go to the --connect address, with the host of the API', async () => {
  const { failed } = await smoke({ url: 'http://abc.execute-api.localhost:4566', connect: proxy.url })
  expect(failed).toBe(0)
  expect(new Set(proxy.passed.map(({ headers }) => headers.host))).toEqual(new Set(['abc.execute-api.localhost:4566']))
})

describe('npm run smoke', () => {
  const command = (url: string, env: Record<string, string> = {}) =>
    new Promise<{ code: number; stdout: string }>((resolve) => {
      const args = [join(import.meta.dirname, '../../bin/smoke.ts'), '--url', url, '--stage', 'local']
      const { PATH = '', NODE_COMPILE_CACHE } = process.env
      execFile(process.execPath, args, { env: { PATH, NODE_COMPILE_CACHE, ...env } }, (error, stdout) => {
        printed.push(...stdout.split('\n'))
        resolve({ code: Number(error?.code ?? 0), stdout })
      })
    })

  test('exits with 0 if all checks pass, with the variables of the environment', async () => {
    const env = { OCTOMIL_API_KEY: apiKey, STRIPE_WEBHOOK_SECRET: `${stripeWebhookSecret},whsec_next` }
    const { code, stdout } = await command(proxy.url, env)
    expect([code, stdout]).toEqual([0, expect.stringMatching(/ok {3}key-life[\s\S]*\nAll checks passed\.\n$/)])
  })

  test('exits with 1 and the count if a check fails', async () => {
    proxy.break = at('GET', keysPath, without('www-authenticate'))
    const { code, stdout } = await command(proxy.url)
    expect([code, stdout]).toEqual([1, expect.stringMatching(/\n1 failed, 0 with a warning\.\n$/)])
  })
})
