/**
 * A caller that can change a record must not be able to send its stored secrets elsewhere. After random patches, each stored
 * secret is decrypted and its destination compared with the original one, for every kind of record that has both.
 */
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { OperationName } from '../../functions/operations.ts'
import type { SecretPurpose } from '../../shared/access.ts'
import { decrypt } from '../../shared/secrets/decrypt.ts'
import type { SecretBinding } from '../../shared/secrets/kms.ts'
import { putOnPlan } from '../support/governance.ts'
import { invoke } from '../support/invoke.ts'
import { makeBusyOrg, type TestOrg } from '../support/orgs.ts'
import { startProvider, type TestProvider } from '../support/provider.ts'
import { rowsOf, type StoredRow } from '../support/rows.ts'

interface Kind {
  name: string
  /** Absent: every organization has one, and a patch makes it complete. */
  create?: { operation: OperationName; body: (secret: string) => object }
  update: OperationName
  param?: string
  /** The key of the row, and the purpose that its secrets are encrypted for. */
  prefix: string
  purpose: SecretPurpose
  /** The fields that name where the secrets go. */
  destinations: readonly string[]
  urls: () => readonly string[]
  secrets: readonly string[]
  headers?: boolean
  /** The fields in a row, each plain or encrypted. */
  fieldsOf: (row: StoredRow) => Record<string, unknown>
  /** The fields as a patch holds them. */
  patched?: (fields: object) => object
}

let org: TestOrg
let provider: TestProvider
beforeAll(async () => {
  provider = await startProvider()
  org = await makeBusyOrg()
  await putOnPlan(org, 'enterprise')
})
afterAll(() => provider.close())

const callable = () => [`${provider.url}/a/v1`, `${provider.url}/b/v1`, provider.url.replace('127.0.0.1', '[::1]')]
const integration = (type: string, config: (secret: string) => object) => ({
  create: {
    operation: 'integrations/create' as const,
    body: (secret: string) => ({ type, name: type, config: config(secret) }),
  },
  update: 'integrations/update' as const,
  param: 'integration_id',
  prefix: 'INT#',
  purpose: 'integration' as const,
  headers: true,
  fieldsOf: ({ config }: StoredRow) => config as Record<string, unknown>,
  patched: (config: object) => ({ config }),
})
const keyOfRow = ({ ciphertext, base_url, endpoint }: StoredRow) => ({
  base_url,
  endpoint,
  api_key: ciphertext ? { ciphertext } : null,
})
const ofProvider = (name: string, folder: 'cloud-connections' | 'cloud-credentials') => ({
  name,
  create: {
    operation: `${folder}/create` as const,
    body: (api_key: string) => ({ provider: 'openai_compatible', name, base_url: callable()[0], api_key }),
  },
  update: `${folder}/update` as const,
  destinations: ['base_url'],
  urls: callable,
  secrets: ['api_key'],
  fieldsOf: keyOfRow,
})

const kinds: Kind[] = [
  {
    name: 'a webhook',
    ...integration('webhook', (signing_secret) => ({ url: 'https://one.example/hook', signing_secret })),
    destinations: ['url'],
    urls: () => ['https://one.example/hook', 'https://two.example/hook', 'https://one.example/other/hook'],
    secrets: ['signing_secret'],
  },
  {
    name: 'an OTLP receiver',
    ...integration('opentelemetry', (secret) => ({
      endpoint: 'https://one.example',
      protocol: 'http/json',
      headers: { 'X-One': secret },
    })),
    destinations: ['endpoint'],
    // Two with equal masks, and one that differs from another only in its scheme.
    urls: () => [
      'https://one.example',
      'http://one.example',
      'https://one.example/a/last',
      'https://one.example/b/last',
    ],
    secrets: [],
  },
  {
    name: 'single sign-on',
    update: 'org-auth/update',
    prefix: 'AUTH',
    purpose: 'sso',
    destinations: ['sso_issuer', 'sso_metadata_url'],
    urls: () => ['https://one.example', 'https://two.example', 'https://one.example/tenant'],
    secrets: ['sso_client_secret'],
    fieldsOf: ({ value }) => value as Record<string, unknown>,
  },
  {
    ...ofProvider('a cloud connection', 'cloud-connections'),
    param: 'connection_id',
    prefix: 'CONN#',
    purpose: 'cloud_connection',
  },
  {
    ...ofProvider('a cloud credential', 'cloud-credentials'),
    param: 'credential_id',
    prefix: 'CRED#',
    purpose: 'cloud_credential',
  },
  {
    name: 'a local target',
    create: {
      operation: 'execution/create-local-target',
      body: (api_key) => ({ name: 'gpu box', endpoint: callable()[0], runtime: 'vllm', api_key }),
    },
    update: 'execution/update-local-target',
    param: 'target_id',
    prefix: 'TGT#',
    purpose: 'local_target',
    destinations: ['endpoint'],
    urls: callable,
    secrets: ['api_key'],
    fieldsOf: keyOfRow,
  },
]

type Destinations = Record<string, string | null>
const same = (url: string): string => new URL(url).href.replace(/\/+$/, '')

/** The destinations of a record and its secrets, all opened. */
async function stored(kind: Kind, id: string): Promise<{ destinations: Destinations; secrets: string[] }> {
  const recordId = kind.create ? id : org.orgId
  const binding: SecretBinding = { orgId: org.orgId, recordId, purpose: kind.purpose }
  const opened = async (value: unknown): Promise<string | null> => {
    if (typeof value === 'string') return value
    const ciphertext = (value as { ciphertext?: Uint8Array } | null | undefined)?.ciphertext
    return ciphertext ? (await decrypt(ciphertext, binding)).reveal() : null
  }
  const [row] = await rowsOf(org.orgId, `${kind.prefix}${kind.create ? id : ''}`)
  const fields = row ? kind.fieldsOf(row) : {}
  const destinations: Destinations = {}
  for (const name of kind.destinations) {
    const url = await opened(fields[name])
    destinations[name] = url === null ? null : same(url)
  }
  const encrypted = [...kind.secrets.map((name) => fields[name]), ...Object.values(fields.headers ?? {})]
  const secrets = (await Promise.all(encrypted.map(opened))).filter((secret) => secret !== null)
  return { destinations, secrets }
}

let made = 0
/** A secret that no other request has; 32 characters satisfy every kind. */
const newSecret = (): string => `secret-${String(++made).padStart(25, '0')}`

/** `keep`, `drop`, or the number of a URL. */
const urlChange = fc.oneof(fc.constant('keep' as const), fc.constant('drop' as const), fc.nat(3))
const secretChange = fc.constantFrom('keep', 'keep', 'keep', 'drop', 'give')
const stepOf = ({ destinations, secrets, headers }: Kind) =>
  fc.record({
    urls: fc.tuple(...destinations.map(() => urlChange)),
    secrets: fc.tuple(...secrets.map(() => secretChange)),
    headers: headers
      ? fc.option(fc.dictionary(fc.constantFrom('X-One', 'x-one', 'X-Two'), secretChange, { maxKeys: 2 }))
      : fc.constant({}),
  })
type Step = ReturnType<typeof stepOf> extends fc.Arbitrary<infer Value> ? Value : never

const secretOf = (change: string): string | null => (change === 'drop' ? null : newSecret())
const changed = (changes: readonly (readonly [string, string])[]) =>
  changes.flatMap(([name, change]) => (change === 'keep' ? [] : [[name, secretOf(change)] as const]))

function fieldsOf(kind: Kind, step: Step): Record<string, unknown> {
  const named = kind.urls()
  const urls = kind.destinations.flatMap((name, index) => {
    const change = step.urls[index] ?? 'keep'
    if (change === 'keep') return []
    return [[name, change === 'drop' ? null : named[change % named.length]] as const]
  })
  const secrets = changed(kind.secrets.map((name, index) => [name, step.secrets[index] ?? 'keep']))
  const headers = step.headers && Object.fromEntries(changed(Object.entries(step.headers)))
  const hasHeaders = headers === null || Object.keys(headers).length > 0
  return { ...Object.fromEntries([...urls, ...secrets]), ...(hasHeaders ? { headers } : {}) }
}

async function freshRecord(kind: Kind, secret: string): Promise<string> {
  if (!kind.create) {
    const urls = kind.destinations.map((name) => [name, kind.urls()[0]])
    const body = { ...Object.fromEntries(urls), ...Object.fromEntries(kind.secrets.map((name) => [name, secret])) }
    expect((await invoke(kind.update, { token: org.adminKey, body })).status).toBe(200)
    return ''
  }
  const answer = await invoke(kind.create.operation, { token: org.adminKey, body: kind.create.body(secret) })
  expect(answer.status, answer.text).toBe(201)
  return answer.body.id
}

test.each(kinds.map((kind) => [kind.name, kind] as const))(
  '%s never keeps a secret with a destination that the secret was not given with',
  async (_name, kind) => {
    let applied = 0
    const steps = fc.array(stepOf(kind), { minLength: 2, maxLength: 6 })
    const property = fc.asyncProperty(steps, async (patches) => {
      const first = newSecret()
      const id = await freshRecord(kind, first)
      let before = await stored(kind, id)
      const givenWith = new Map([[first, before.destinations]])
      for (const step of patches) {
        const fields = fieldsOf(kind, step)
        const body = (kind.patched ?? ((plain) => plain))(fields)
        const params = kind.param ? { [kind.param]: id } : {}
        const { status } = await invoke(kind.update, { token: org.adminKey, params, body })
        expect([200, 400]).toContain(status)
        if (status === 200) applied += 1
        const destinations = { ...before.destinations }
        for (const name of kind.destinations) {
          const url = fields[name] as string | null | undefined
          if (url !== undefined) destinations[name] = url === null ? null : same(url)
        }
        before = await stored(kind, id)
        for (const secret of before.secrets) {
          const given = givenWith.get(secret) ?? destinations
          givenWith.set(secret, given)
          for (const [name, url] of Object.entries(before.destinations)) {
            if (url !== null) expect(url, `${name} of ${secret}`).toBe(given[name])
          }
        }
      }
    })
    await fc.assert(property, { numRuns: 50 })
    expect(applied).toBeGreaterThan(20)
  },
)
