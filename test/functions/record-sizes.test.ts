/** Rows have a maximum size, for any request: DynamoDB allows 400 KB, and every request reads the key's record. */
import { beforeAll, describe, expect, test } from 'vitest'
import type { OperationName } from '../../functions/operations.ts'
import { keyTypeScopes } from '../../shared/auth/scopes.ts'
import { invoke } from '../support/invoke.ts'
import { makeBusyOrg, type TestOrg } from '../support/orgs.ts'
import { expectProblem, faultPaths } from '../support/problems.ts'
import { rowsOf } from '../support/rows.ts'

const kib = 1024

let org: TestOrg
beforeAll(async () => {
  org = await makeBusyOrg()
})

/** Four bytes of UTF-8 in two units of a JavaScript string: the most that a length in characters lets through. */
const wide = (units: number) => '😀'.repeat(Math.floor(units / 2))
const name = wide(100)
const reference = 'r'.repeat(128)
const origins = Array.from({ length: 50 }, (_, index) => `https://${`${index}`.padEnd(255, 'a')}:65535`)

/** As DynamoDB counts: names and texts in UTF-8, bytes as they are; numbers at their longest, and 3 for a list or map. */
function bytesOf(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value)
  if (typeof value === 'number') return 21
  if (value instanceof Uint8Array) return value.byteLength
  if (typeof value !== 'object' || value === null) return 1
  return Object.entries(value).reduce(
    (sum, [key, part]) => sum + 1 + (Array.isArray(value) ? 0 : Buffer.byteLength(key)) + bytesOf(part),
    3,
  )
}

describe('an API key at its bounds', () => {
  const recordBytes = async (id: string) => bytesOf((await rowsOf(org.orgId, `KEY#${id}`))[0] ?? {})

  test('is a record of at most 3 KiB for an org or app key, with its reason for revocation', async () => {
    const org_ = { name, scopes: keyTypeScopes.org, federation_id: reference, model_id: reference }
    const more = { rate_limit_per_minute: 100_000, expires_at: '9999-12-31T23:59:59.999Z' }
    for (const [operation, body] of [
      ['api-keys/create', { ...org_, ...more }],
      ['api-keys/create-app-key', { name, app_id: reference, expires_at: more.expires_at }],
    ] as const) {
      const made = await invoke(operation, { token: org.adminKey, body })
      expect(made.status, made.text).toBe(201)
      const params = { key_id: made.body.id }
      await invoke('api-keys/revoke', { token: org.adminKey, params, body: { reason: wide(500) } })
      expect(await recordBytes(made.body.id)).toBeLessThan(3 * kib)
    }
  })

  test('is a record of at most 18 KiB for a publishable key with 50 origins', async () => {
    const body = { name, allowed_origins: origins, expires_at: '9999-12-31T23:59:59.999Z' }
    const made = await invoke('api-keys/create-publishable-key', { token: org.adminKey, body })
    expect(made.status, made.text).toBe(201)
    expect(origins[0]).toHaveLength(269)
    expect(await recordBytes(made.body.id)).toBeLessThan(18 * kib)
  })

  test('names an origin that is longer', async () => {
    const body = { name, allowed_origins: ['https://a.example.com', `${origins[0]}`.replace('aa', 'aaa')] }
    const refused = await invoke('api-keys/create-publishable-key', { token: org.adminKey, body })
    expectProblem(refused, 'invalid_input')
    expect(faultPaths(refused)).toEqual(['allowed_origins.1'])
  })

  test.each([
    ['api-keys/create', keyTypeScopes.org],
    ['api-keys/create-publishable-key', keyTypeScopes.publishable],
  ] as const)('%s takes repeated scopes once, and no more scopes than there are', async (operation, scopes) => {
    const [scope] = scopes
    const copies = (count: number) => ({ name, scopes: Array(count).fill(scope) })
    const taken = await invoke(operation, { token: org.adminKey, body: copies(scopes.length) })
    expect({ status: taken.status, scopes: taken.body.scopes }).toEqual({ status: 201, scopes: [scope] })
    for (const count of [scopes.length + 1, 10_000]) {
      const refused = await invoke(operation, { token: org.adminKey, body: copies(count) })
      expectProblem(refused, 'invalid_input')
      expect(faultPaths(refused)).toEqual(['scopes'])
    }
  })
})

describe('all other rows of an organization, every list and text at its maximum', () => {
  const many = <T>(count: number, make: (index: string) => T): T[] =>
    Array.from({ length: count }, (_, index) => make(String(index).padStart(3, '0')))
  const url = (units: number) => `https://receiver.example.com/${'p'.repeat(units)}`.slice(0, units)
  const headers = Object.fromEntries(many(10, (index) => [`X-${index}-${'h'.repeat(58)}`, 'v'.repeat(1024)]))
  const integration = (type: string, config: object) => ({ type, name, config })

  test.each<[string, OperationName, object, number]>([
    [
      'a local target with 50 models',
      'execution/create-local-target',
      {
        name,
        endpoint: 'http://127.0.0.1:8000',
        runtime: 'vllm',
        models: many(50, (index) => index + '😀'.repeat(40)),
        api_key: 'k'.repeat(1024),
      },
      16,
    ],
    [
      'an integration with 50 recipients',
      'integrations/create',
      integration('email', {
        recipients: many(
          50,
          (index) => `${index}${'a'.repeat(61)}@${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(57)}.io`,
        ),
      }),
      16,
    ],
    [
      'an integration with 20 tags',
      'integrations/create',
      integration('datadog', { tags: many(20, (index) => `key${index}:${'\u6f22'.repeat(190)}`) }),
      16,
    ],
    [
      'an integration with 10 headers',
      'integrations/create',
      integration('opentelemetry', { endpoint: url(2048), protocol: 'grpc', headers }),
      24,
    ],
    [
      'a credential with the longest key',
      'cloud-credentials/create',
      { provider: 'openai', name, api_key: 'k'.repeat(4096) },
      8,
    ],
    [
      'org settings with 100 ranges',
      'org-settings/update',
      { ip_allowlist: ['0.0.0.0/0', ...many(99, (index) => `2001:db8:ffff:ffff:ffff:ffff:ffff:f${index}/128`)] },
      16,
    ],
    [
      'a cloud policy',
      'cloud-policy/update',
      { credential_sources: Array(100).fill('byok'), default_fallback_model: `openai/${'😀'.repeat(150)}` },
      4,
    ],
    [
      'sign-in settings',
      'org-auth/update',
      {
        sso_issuer: url(2048),
        sso_metadata_url: url(2048),
        sso_client_id: 'c'.repeat(255),
        sso_client_secret: 's'.repeat(1024),
      },
      8,
    ],
  ])('%s: no row has more than the stated KiB, its event included', async (_title, operation, body, maxKib) => {
    const own = await makeBusyOrg()
    const before = new Set((await rowsOf(own.orgId, '')).map(({ sk }) => sk))
    const { status, text } = await invoke(operation, { token: own.adminKey, body })
    expect(status, text).toBeLessThan(300)
    const rows = (await rowsOf(own.orgId, '')).filter(({ sk }) => !before.has(sk))
    const largest = Math.max(...rows.map(bytesOf))
    expect(largest).toBeLessThan(maxKib * kib)
    // A bound far above the real size would prove nothing.
    expect(largest).toBeGreaterThan((maxKib * kib) / 4)
  })
})
