/** As deployed, without ranges that a stage allows: URLs are checked when they are written, and again at each call. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { invoke } from '../../support/invoke.ts'
import { makeBusyOrg, type TestOrg } from '../../support/orgs.ts'
import { expectProblem, faultPaths } from '../../support/problems.ts'
import { startProvider, type TestProvider } from '../../support/provider.ts'
import { putRow, rowsOf } from '../../support/rows.ts'
import { connectionsOf } from './connections.ts'

// Before the first request: what a stage allows is read once.
delete process.env.OUTBOUND_ALLOWED_CIDRS

let org: TestOrg
let on: ReturnType<typeof connectionsOf>
let server: TestProvider
beforeAll(async () => {
  org = await makeBusyOrg()
  on = connectionsOf(org)
  server = await startProvider()
  process.env.PROVIDER_BASE_URLS = `openai=${server.url}/v1`
})
afterAll(() => server.close())

const notAllowed = [
  ...['http://127.0.0.1/v1', 'http://127.1/v1', 'http://2130706433/v1', 'http://0x7f000001/v1', 'http://0177.0.0.1/v1'],
  ...['http://[::1]/v1', 'http://[::ffff:127.0.0.1]/v1', 'http://localhost:8080/v1', 'http://localhost./v1'],
  ...['http://169.254.169.254/v1', 'http://10.0.0.1/v1', 'http://192.168.0.1/v1', 'http://172.16.0.1/v1'],
  ...[
    'http://[fd00:ec2::254]/v1',
    'http://[fe80::1]/v1',
    'https://user:pass@api.example.com/v1',
    'ftp://api.example.com',
  ],
  ...['https://api.example.com:25/v1', 'file:///etc/passwd', 'api.example.com', '', 'https://api.example.com/v1?a=b'],
  ...['https://api.example.com/v1#x', `https://api.example.com/${'x'.repeat(2100)}`, 7, null, {}],
]

describe('a base URL that is not allowed', () => {
  test.each(notAllowed)('%j is 400 where it is written, and nothing is kept', async (base_url) => {
    const body = { provider: 'openai_compatible', name: 'x', api_key: 'sk-deployed-0123', base_url }
    for (const operation of ['cloud-connections/create', 'cloud-credentials/create'] as const) {
      const refused = await invoke(operation, { token: org.adminKey, body })
      expectProblem(refused, 'invalid_input')
      expect(faultPaths(refused)).toEqual(['base_url'])
      expect(refused.text).not.toContain('sk-deployed-0123')
    }
    expect([...(await rowsOf(org.orgId, 'CONN#')), ...(await rowsOf(org.orgId, 'CRED#'))]).toEqual([])
  })
})

describe('an address that is not allowed when it is called', () => {
  test('is unreachable with the reason, in each operation that calls, and nothing is sent', async () => {
    const made = await on.make({ provider: 'openai', name: 'x', api_key: 'sk-deployed-0123' })
    const reason = 'The URL is not allowed: it must not name a private, local or reserved address.'
    expect(made).toMatchObject({ verification_status: 'unreachable', verification_error: reason })
    expect((await on.test(made.id)).body).toMatchObject({ success: false, status_code: null, error: reason })
    const models = await on.models(made.id)
    expectProblem(models, 'upstream_error')
    expect(models.body).toMatchObject({ detail: reason, retryable: true })
    const patched = await on.patch(made.id, { api_key: 'sk-deployed-4567' })
    expect(patched.body).toMatchObject({ verification_status: 'unreachable', verification_error: reason })
    expect(server.requests).toEqual([])
  })

  test('is not called either when an operator wrote it into the row', async () => {
    const { id } = await on.make({ provider: 'openai', name: 'x', api_key: 'sk-deployed-0123' })
    const [row] = await rowsOf(org.orgId, `CONN#${id}`)
    if (!row) throw new Error('there is no row')
    await putRow({ ...row, provider: 'openai_compatible', base_url: `${server.url}/v1` })
    expect((await on.test(id)).body).toMatchObject({ success: false, status_code: null })
    expect((await on.models(id)).status).toBe(502)
    expect(server.requests).toEqual([])
  })
})
