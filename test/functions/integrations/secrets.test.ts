/** Every secret of every type of integration is searched wherever it could have gone, and must be found encrypted only. */
import { randomBytes } from 'node:crypto'
import { DecryptCommand, KMSClient } from '@aws-sdk/client-kms'
import { beforeAll, describe, expect, test } from 'vitest'
import type { OperationName } from '../../../functions/operations.ts'
import { kms } from '../../../shared/secrets/kms.ts'
import { interceptTable } from '../../support/faults.ts'
import { fullConfigs, makeOrgOn, type Type, types } from '../../support/integrations.ts'
import { invoke, type Request, type Response } from '../../support/invoke.ts'
import { logLines } from '../../support/logs.ts'
import type { TestOrg } from '../../support/orgs.ts'
import { expectProblem } from '../../support/problems.ts'
import { allRows, rowsOf, type StoredRow } from '../../support/rows.ts'

/** Of a shape that every secret field takes; no two texts of the run share a window of one. */
const newCanary = (): string => {
  const canary = randomBytes(16).toString('hex')
  canaries.push(canary)
  return canary
}
const canaries: string[] = []

/** A configuration whose every secret holds a canary of its own. */
const secretConfigs: Record<Type, () => object> = {
  slack: () => ({ webhook_url: `https://hooks.slack.com/services/T1/${newCanary()}` }),
  microsoft_teams: () => ({
    webhook_url: `https://prod-1.logic.azure.com/workflows/${newCanary()}/x?sig=${newCanary()}`,
  }),
  pagerduty: () => ({ routing_key: newCanary() }),
  opsgenie: () => ({ api_key: newCanary() }),
  email: () => ({}),
  webhook: () => ({
    url: `https://acme.io/${newCanary()}?key=${newCanary()}`,
    signing_secret: newCanary(),
    headers: { 'X-One': newCanary(), Authorization: `Bearer ${newCanary()}` },
  }),
  datadog: () => ({ api_key: newCanary() }),
  opentelemetry: () => ({ headers: { 'api-key': newCanary(), 'X-Two': newCanary() } }),
  siem: () => ({ endpoint: `https://siem.acme.io/${newCanary()}`, token: newCanary() }),
}

/** Longer than the 4 characters that a mask shows, and too long to meet by chance in a hash. */
const windowLength = 12

/** The canaries of which a text holds a window, plain or as base64. */
function found(text: string): string[] {
  const lower = text.toLowerCase()
  return canaries.filter((canary) => {
    for (let start = 0; start + windowLength <= canary.length; start++) {
      if (lower.includes(canary.slice(start, start + windowLength))) return true
    }
    return [0, 1, 2].some((shift) => {
      const base64 = Buffer.from(canary.slice(shift)).toString('base64').slice(0, 24)
      return text.includes(base64) || text.includes(base64.replaceAll('+', '-').replaceAll('/', '_'))
    })
  })
}

/** A row as text, its binary parts both as the bytes that they are and as base64. */
const textOf = (row: object): string =>
  JSON.stringify(row, function (this: Record<string, unknown>, name, value: unknown) {
    // A Buffer would come here as what its own toJSON makes of it.
    const own = this[name]
    if (!(own instanceof Uint8Array)) return value
    return [Buffer.from(own).toString('latin1'), Buffer.from(own).toString('base64')]
  })

const answers: Response<unknown>[] = []
let org: TestOrg
let other: TestOrg
const ids: Partial<Record<Type, string>> = {}

async function send<Name extends OperationName>(name: Name, request: Request) {
  const response = await invoke(name, { token: org.adminKey, ...request })
  answers.push(response)
  return response
}

const failingTable = (run: () => Promise<unknown>) =>
  interceptTable(({ command }, next) => {
    if (command === 'TransactWriteItemsCommand') throw new Error('a fault of the test')
    return next()
  }, run)

/** Runs while each call of KMS fails so. */
async function withFailingKms<T>(fault: object, run: () => Promise<T>): Promise<T> {
  kms().middlewareStack.add(
    () => () => {
      throw Object.assign(new Error('a fault of the test'), fault)
    },
    { step: 'initialize', name: 'failingKms', priority: 'low' },
  )
  try {
    return await run()
  } finally {
    kms().middlewareStack.remove('failingKms')
  }
}

beforeAll(async () => {
  org = await makeOrgOn('enterprise')
  other = await makeOrgOn('enterprise')
  for (const type of types) {
    const headers = { 'idempotency-key': `canary ${type}` }
    const body = { type, name: `my ${type}`, config: secretConfigs[type]() }
    const { body: made } = await send('integrations/create', { body, headers })
    await send('integrations/create', { body, headers })
    await send('integrations/create', { body: { ...body, name: 'other' }, headers })
    ids[type] = made.id
    const params = { integration_id: made.id }
    await send('integrations/get', { params })
    await send('integrations/validate', { params, headers })
    await send('integrations/update', { params, body: { config: secretConfigs[type]() } })
    await send('integrations/update', {
      params,
      body: { name: 'again', config: { ...secretConfigs[type](), foo: newCanary() } },
    })
    // Refused, for each possible reason.
    const secret = { config: secretConfigs[type]() }
    await send('integrations/update', { params, body: { ...secret, name: null } })
    await send('integrations/update', { params, body: secret, headers: { 'if-match': '"other"' } })
    await send('integrations/update', { params, body: secret, token: org.readOnlyKey })
    await send('integrations/update', { params, body: secret, token: other.adminKey })
    await send('integrations/create', { body: { ...body, config: { ...secretConfigs[type](), foo: newCanary() } } })
    await send('integrations/create', { body: { ...body, more: newCanary() } })
    const broken = Object.fromEntries(Object.keys(fullConfigs[type]).map((field) => [field, `${newCanary()}\u0000 …`]))
    await send('integrations/create', { body: { type, name: 'broken', config: broken } })
    await failingTable(() => send('integrations/create', { body }))
    await failingTable(() => send('integrations/update', { params, body: secret }))
    await withFailingKms({ name: 'ValidationException', $fault: 'client' }, () => send('integrations/create', { body }))
  }
  await send('integrations/list', { query: { limit: '100' } })
  await send('audit-events/list', { query: { limit: '100' } })
})

describe('a secret of an integration', () => {
  test('was sent in every secret field of every type, and met each kind of answer', () => {
    expect(canaries.length).toBeGreaterThan(80)
    expect(new Set(canaries).size).toBe(canaries.length)
    const statuses = new Set(answers.map(({ status }) => status))
    expect([...statuses].sort()).toEqual([200, 201, 400, 403, 404, 412, 422, 500])
    expect(answers.some(({ headers }) => headers['idempotency-replayed'] === 'true')).toBe(true)
  })

  test('is found by the search, plain and as base64, should it be there', () => {
    const [canary = ''] = canaries
    for (const text of [canary, `a${canary.slice(9, 25)}b`, Buffer.from(`{"a":"${canary}"}`).toString('base64')]) {
      expect(found(text), text).toContain(canary)
    }
    expect(found(textOf({ encrypted: Buffer.from(canary) }))).toEqual([canary])
    expect(found(textOf({ encrypted: new Uint8Array(Buffer.from(canary)) }))).toEqual([canary])
    expect(found(`…${canary.slice(-4)}`)).toEqual([])
  })

  test('is in no answer and in no header of any', () => {
    for (const { text, headers } of answers) {
      expect(found(text)).toEqual([])
      expect(found(JSON.stringify(headers))).toEqual([])
    }
  })

  test('is in no log line, those of failures among them', () => {
    expect(logLines.filter((line) => line.includes('"message":"request"')).length).toBeGreaterThanOrEqual(
      answers.length,
    )
    expect(logLines.some((line) => line.includes('"level":"ERROR"'))).toBe(true)
    for (const line of logLines) expect(found(line)).toEqual([])
  })

  test('is in no stored row: not of the record, not of an event, not of an idempotent answer', async () => {
    const rows = await allRows()
    for (const kind of ['INT#', 'EVENT#']) expect(rows.some(({ sk }) => sk.startsWith(kind))).toBe(true)
    expect(rows.some(({ pk }) => pk.includes('#IDEM#'))).toBe(true)
    for (const row of rows) expect(found(textOf(row)), row.sk).toEqual([])
  })
})

/** Every encrypted value in a row, by the path to it. */
function encryptedIn(value: unknown, path = ''): [string, Uint8Array][] {
  if (typeof value !== 'object' || value === null) return []
  if ('ciphertext' in value) return [[path, value.ciphertext as Uint8Array]]
  return Object.entries(value).flatMap(([name, part]) => encryptedIn(part, path ? `${path}.${name}` : name))
}

const encryptedFields: Record<Type, string[]> = {
  slack: ['config.webhook_url'],
  microsoft_teams: ['config.webhook_url'],
  pagerduty: ['config.routing_key'],
  opsgenie: ['config.api_key'],
  email: [],
  webhook: ['config.headers.Authorization', 'config.headers.X-Team', 'config.signing_secret', 'config.url'],
  datadog: ['config.api_key'],
  opentelemetry: ['config.endpoint', 'config.headers.api-key'],
  siem: ['config.endpoint', 'config.token'],
}

describe('encrypted values', () => {
  const client = () => new KMSClient({ endpoint: process.env.AWS_ENDPOINT_URL_KMS ?? '' })
  const open = async (CiphertextBlob: Uint8Array, EncryptionContext: Record<string, string>) =>
    Buffer.from(
      (await client().send(new DecryptCommand({ CiphertextBlob, EncryptionContext }))).Plaintext ?? [],
    ).toString()
  const make = async (by: TestOrg, type: Type) => {
    const { body } = await invoke('integrations/create', {
      token: by.adminKey,
      body: { type, name: type, config: fullConfigs[type] },
    })
    const [row] = await rowsOf(by.orgId, `INT#${body.id}`)
    return { id: body.id as string, row: row as StoredRow }
  }
  const valueAt = (config: object, path: string): unknown =>
    path
      .split('.')
      .slice(1)
      .reduce<unknown>((part, name) => (part as Record<string, unknown>)[name], config)

  test.each(types)('of %s is each secret field, and opens to what was sent, under its own row', async (type) => {
    const { id, row } = await make(org, type)
    const encrypted = encryptedIn(row)
    expect(encrypted.map(([path]) => path).sort()).toEqual(encryptedFields[type])
    for (const [path, ciphertext] of encrypted) {
      const opened = await open(ciphertext, { org_id: org.orgId, record_id: id, purpose: 'integration' })
      expect(opened).toBe(valueAt(fullConfigs[type], path))
    }
  })

  test("opens under no other context: another record's, another org's, another purpose's, part of its own, or none", async () => {
    const { id, row } = await make(org, 'datadog')
    const sibling = await make(org, 'datadog')
    const [[, ciphertext] = ['', new Uint8Array()]] = encryptedIn(row)
    const own = { org_id: org.orgId, record_id: id, purpose: 'integration' }
    expect(await open(ciphertext, own)).toBe(fullConfigs.datadog.api_key)
    const { purpose: _purpose, ...lessPurpose } = own
    const { record_id: _record, ...lessRecord } = own
    const contexts = [
      { ...own, record_id: sibling.id },
      { ...own, org_id: other.orgId },
      { ...own, purpose: 'sso' },
      { ...own, more: 'x' },
      lessPurpose,
      lessRecord,
      {},
    ]
    for (const context of contexts) {
      await expect(open(ciphertext, context)).rejects.toMatchObject({ name: 'InvalidCiphertextException' })
    }
  })

  test('by a patch is bound to the same row', async () => {
    const { id } = await make(org, 'pagerduty')
    const routing_key = 'Z'.repeat(31).concat('1')
    const params = { integration_id: id }
    expect(
      (await invoke('integrations/update', { token: org.adminKey, params, body: { config: { routing_key } } })).status,
    ).toBe(200)
    const [row] = await rowsOf(org.orgId, `INT#${id}`)
    const [[, ciphertext] = ['', new Uint8Array()]] = encryptedIn(row)
    expect(await open(ciphertext, { org_id: org.orgId, record_id: id, purpose: 'integration' })).toBe(routing_key)
  })

  test('twice from one text is two ciphertexts, so that equal secrets are not seen to be equal', async () => {
    const [first, second] = [await make(org, 'datadog'), await make(org, 'datadog')]
    expect(encryptedIn(first.row)[0]?.[1]).not.toEqual(encryptedIn(second.row)[0]?.[1])
  })
})

describe('when KMS does not work', () => {
  const create = () =>
    invoke('integrations/create', {
      token: org.adminKey,
      body: { type: 'datadog', name: 'x', config: fullConfigs.datadog },
    })
  const intRows = async () => (await rowsOf(org.orgId, 'INT#')).length
  const eventRows = async () => (await rowsOf(org.orgId, 'EVENT#')).length

  test.each([
    ['is throttled', { name: 'ThrottlingException', $fault: 'client' }],
    ['has a fault of its own', { name: 'KMSInternalException', $fault: 'server' }],
    ['has its dependencies time out', { name: 'DependencyTimeoutException', $fault: 'server' }],
    ['does not answer in time', { name: 'TimeoutError' }],
    ['refuses connections', { code: 'ECONNREFUSED' }],
  ])('because it %s, a secret is 503 to be tried again, and nothing is written', async (_title, fault) => {
    const { id } = (await create()).body
    const [row] = await rowsOf(org.orgId, `INT#${id}`)
    const [records, events] = [await intRows(), await eventRows()]
    const params = { integration_id: id }
    const body = { name: 'half', config: { api_key: 'f'.repeat(32) } }
    const [created, patched] = await withFailingKms(fault, async () => [
      await create(),
      await invoke('integrations/update', { token: org.adminKey, params, body }),
    ])
    for (const response of [created, patched]) {
      expectProblem(response as Response, 'service_unavailable')
      expect(response?.body.retryable).toBe(true)
      expect(response?.headers['retry-after']).toMatch(/^\d+$/)
    }
    expect([await intRows(), await eventRows()]).toEqual([records, events])
    expect(await rowsOf(org.orgId, `INT#${id}`)).toEqual([row])
  })

  test('a request without a secret still succeeds', async () => {
    const { body } = await create()
    const params = { integration_id: body.id }
    const statuses = await withFailingKms({ name: 'KMSInternalException', $fault: 'server' }, async () => [
      (await invoke('integrations/get', { token: org.adminKey, params })).status,
      (await invoke('integrations/validate', { token: org.adminKey, params })).status,
      (await invoke('integrations/update', { token: org.adminKey, params, body: { config: { tags: ['a:b'] } } }))
        .status,
      (await invoke('integrations/delete', { token: org.adminKey, params })).status,
    ])
    expect(statuses).toEqual([200, 200, 200, 204])
  })
})
