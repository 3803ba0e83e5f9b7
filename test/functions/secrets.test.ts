/** Secrets are searched wherever they could have gone: every answer, log line, audit event and stored row. */
import { createHash } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import type { OperationName } from '../../functions/operations.ts'
import { interceptTable } from '../support/faults.ts'
import { invoke, type Request, type Response } from '../support/invoke.ts'
import { logLines } from '../support/logs.ts'
import { makeOrg, type TestOrg, tokenFor } from '../support/orgs.ts'
import { allRows } from '../support/rows.ts'

interface Canary {
  secret: string
  hash: string
}

const canaries: Canary[] = []
const issuedIds: string[] = []
let jwt: string
const answers: Response[] = []
let org: TestOrg

function watchFor(secret: string): void {
  canaries.push({ secret, hash: createHash('sha256').update(secret).digest('hex') })
}

/** Sends a request and keeps its answer; a raw key that comes with it is a canary from then on. */
async function send(name: OperationName, request: Request) {
  const response = await invoke(name, { token: org.adminKey, ...request })
  const rawKey: string | undefined = response.body?.api_key
  if (rawKey) {
    watchFor(rawKey)
    issuedIds.push(response.body.id)
    // It belongs into its own answer, once; anywhere else in it, it does not.
    const { api_key: _once, ...rest } = response.body
    answers.push({ ...response, text: JSON.stringify(rest), body: rest })
  } else {
    answers.push(response)
  }
  return response
}

const keyBody = { name: 'canary', scopes: ['keys:read', 'keys:write', 'audit:read'] }

beforeAll(async () => {
  org = await makeOrg()
  jwt = await tokenFor(org.orgId, 'owner')
  for (const secret of [org.adminKey, org.readOnlyKey, jwt]) watchFor(secret)
  const created = await send('api-keys/create', { body: keyBody })
  const appKey = await send('api-keys/create-app-key', { body: { name: 'canary', app_id: 'app-1' } })
  await send('api-keys/create-publishable-key', { body: { name: 'canary', allowed_origins: ['https://a.example'] } })
  await send('api-keys/create', { token: jwt, body: keyBody })
  await send('api-keys/create', { token: jwt, body: keyBody, headers: { 'idempotency-key': 'canary of a person' } })
  await send('api-keys/list', { token: `${jwt}x` })
  await send('api-keys/list', { token: org.readOnlyKey })

  const idempotent = { body: keyBody, headers: { 'idempotency-key': 'canary' } }
  await send('api-keys/create', idempotent)
  await send('api-keys/create', idempotent)
  const params = { key_id: created.body.id }
  const rotation = { params, body: { overlap_seconds: 60 }, headers: { 'idempotency-key': 'canary' } }
  const rotated = await send('api-keys/rotate', rotation)
  await send('api-keys/rotate', rotation)
  await send('api-keys/rotate', { params })
  await send('api-keys/rotate', { params: { key_id: appKey.body.id } })

  // The keys in use, in both headers, allowed and refused, alive and dead.
  const token = rotated.body.api_key
  await send('api-keys/list', { token })
  await send('api-keys/list', { token: undefined, headers: { 'x-api-key': token } })
  await send('api-keys/create', { token, body: { ...keyBody, scopes: ['admin:write'] } })
  await send('api-keys/create', { token, body: { name: '', more: 1 } })
  await send('audit-events/list', { token })
  await send('audit-events/list', { token: appKey.body.api_key })
  await send('api-keys/list', { token, query: { org_id: 'org_other' } })
  await send('api-keys/list', { token: `${token.slice(0, -1)}-` })
  await interceptTable(
    ({ command }, next) => {
      if (command === 'TransactWriteItemsCommand' || command === 'QueryCommand') throw new Error('a fault of the test')
      return next()
    },
    async () => {
      await send('api-keys/create', { token, body: keyBody })
      await send('api-keys/create', { body: keyBody, headers: { 'idempotency-key': 'canary that fails' } })
      await send('api-keys/list', { token })
    },
  )
  await send('api-keys/revoke', { params: { key_id: rotated.body.id }, body: { reason: 'leaked' } })
  await send('api-keys/list', { token })
  for (const id of issuedIds) await send('api-keys/get', { params: { key_id: id } })
  await send('api-keys/list', { query: { limit: '100' } })
  await send('audit-events/list', { query: { limit: '100' } })
  await send('audit-events/verify', {})
})

/** Which canaries a text holds: the secret, a good part of it, or its hash. */
const found = (text: string): Canary[] =>
  canaries.filter(
    ({ secret, hash }) => text.includes(secret.slice(-24)) || text.toLowerCase().includes(hash.slice(0, 40)),
  )

describe('raw keys, tokens and their hashes', () => {
  test('were made by every operation that makes some, and were used with every outcome', () => {
    expect(issuedIds.length).toBeGreaterThanOrEqual(7)
    expect(new Set(canaries.map(({ secret }) => secret)).size).toBe(issuedIds.length + 3)
    const tags = new Set(canaries.map(({ secret }) => secret.slice(0, 8)))
    for (const tag of ['oct_app_', 'oct_org_', 'oct_pub_']) expect(tags).toContain(tag)
    const statuses = new Set(answers.map(({ status }) => status))
    expect([...statuses].sort()).toEqual([200, 201, 400, 401, 403, 409, 500])
    const replays = answers.filter(({ headers }) => headers['idempotency-replayed'] === 'true')
    expect(replays.map(({ status }) => status)).toEqual([201, 201])
  })

  test('are in no answer but the one that hands the key over, and in no header of any', () => {
    for (const { text, headers } of answers) {
      expect(found(text)).toEqual([])
      expect(found(JSON.stringify(headers))).toEqual([])
    }
  })

  test('are in no log line', () => {
    const lines = logLines.filter((line) => line.includes('"message":"request"'))
    expect(lines.length).toBeGreaterThanOrEqual(answers.length)
    expect(logLines.some((line) => line.includes('"level":"ERROR"'))).toBe(true)
    for (const line of logLines) expect(found(line)).toEqual([])
  })

  test('are in no stored row, an audit event among them, but for the hash in the key of its look-up row', async () => {
    const rows = await allRows()
    const kinds = new Set(rows.map(({ sk }) => sk.split('#')[0]))
    for (const kind of ['KEY', 'KEYHASH', 'EVENT']) expect(kinds).toContain(kind)
    expect(rows.some(({ pk }) => pk.includes('#IDEM#'))).toBe(true)
    const lookups = new Set(canaries.map(({ hash }) => `KEYHASH#${hash}`))
    for (const { pk, ...rest } of rows) {
      expect(found(JSON.stringify(rest))).toEqual([])
      if (!lookups.delete(pk)) expect(found(pk)).toEqual([])
    }
    // A token is not stored at all.
    expect([...lookups]).toEqual([`KEYHASH#${createHash('sha256').update(jwt).digest('hex')}`])
  })

  test('are nowhere either when somebody takes the raw key for the id of the key', async () => {
    const logged = logLines.length
    const params = { key_id: org.readOnlyKey }
    const taken = [
      await invoke('api-keys/get', { token: org.adminKey, params }),
      await invoke('api-keys/revoke', { token: org.adminKey, params }),
      await invoke('api-keys/rotate', { token: org.readOnlyKey, params }),
    ]
    expect(taken.map(({ status }) => status)).toEqual([404, 404, 403])
    for (const line of logLines.slice(logged)) expect(found(line)).toEqual([])
    for (const { text } of taken) expect(found(text)).toEqual([])
    for (const { pk: _pk, ...row } of await allRows()) expect(found(JSON.stringify(row))).toEqual([])
  })
})
