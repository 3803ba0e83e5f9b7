/** Keys of providers are searched wherever they could have gone: answers, headers, logs, rows, events. */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { OperationName } from '../../../functions/operations.ts'
import { interceptTable } from '../../support/faults.ts'
import { invoke, type Request, type Response } from '../../support/invoke.ts'
import { logLines } from '../../support/logs.ts'
import { makeBusyOrg, type TestOrg } from '../../support/orgs.ts'
import { json, raw, reset, startProvider, type TestProvider } from '../../support/provider.ts'
import { memberOf } from '../../support/readable.ts'
import { allRows } from '../../support/rows.ts'
import { onlyFor } from './connections.ts'

const keys = ['sk-canary-Aa10Bb29Cc38Dd47', 'sk-canary-Ee56Ff65Gg74Hh83', 'sk-canary-Ii92Jj01Kk10Ll29'] as const
const [good, wrong, credential] = keys
const answers: Response<unknown>[] = []
let org: TestOrg
let server: TestProvider

async function send<Name extends OperationName>(name: Name, request: Request = {}) {
  const response = await invoke(name, { token: org.adminKey, ...request })
  answers.push(response)
  return response
}

beforeAll(async () => {
  org = await makeBusyOrg()
  server = await startProvider(onlyFor(good))
  const base_url = `${server.url}/v1`
  const body = { provider: 'openai_compatible', name: 'canary', api_key: good, base_url }
  const headers = { 'idempotency-key': 'canary' }
  const made = await send('cloud-connections/create', { body, headers })
  await send('cloud-connections/create', { body, headers })
  await send('cloud-connections/create', { body: { ...body, api_key: wrong } })
  await send('cloud-connections/create', { body: { ...body, nobody: 1 } })
  await send('cloud-connections/create', { body: { ...body, api_key: `${good} ` } })
  await send('cloud-connections/create', { body: { ...body, name: '' } })
  await send('cloud-connections/create', { token: org.readOnlyKey, body })
  await send('cloud-connections/create', { rawBody: `${JSON.stringify(body).slice(0, -1)},` })
  const on = { params: { connection_id: made.body.id } }
  await send('cloud-connections/test', on)
  await send('cloud-connections/models', on)
  for (const listener of [
    json(
      { error: { message: `no: ${good} ${good.toUpperCase()} ${encodeURIComponent(good)} ${good.slice(0, 12)}***` } },
      401,
    ),
    json({ data: [{ id: good }, { name: good }] }),
    raw(`<html>${good}</html>`, 500, { 'content-type': `text/${good}` }),
    reset,
  ]) {
    server.answer(listener)
    await send('cloud-connections/test', on)
    await send('cloud-connections/models', on)
  }
  server.answer(onlyFor(good))
  await send('cloud-connections/update', { ...on, body: { api_key: wrong } })
  await send('cloud-connections/update', { ...on, body: { api_key: good, provider: 'openai' } })
  const made2 = await send('cloud-credentials/create', { body: { ...body, api_key: credential }, headers })
  await send('cloud-credentials/create', { body: { ...body, api_key: credential }, headers })
  const onCredential = { params: { credential_id: made2.body.id } }
  await send('cloud-credentials/update', { ...onCredential, body: { api_key: wrong } })
  await interceptTable(
    ({ command }, next) => {
      if (command === 'TransactWriteItemsCommand') throw new Error('a fault of the test')
      return next()
    },
    async () => {
      await send('cloud-connections/create', { body })
      await send('cloud-connections/test', on)
      await send('cloud-connections/update', { ...on, body: { api_key: good } })
      await send('cloud-credentials/create', { body: { ...body, api_key: credential } })
    },
  )
  for (const name of ['cloud-connections/get', 'cloud-connections/list'] as const)
    await send(name, name.endsWith('get') ? on : {})
  for (const name of ['cloud-credentials/get', 'cloud-credentials/list'] as const)
    await send(name, name.endsWith('get') ? onCredential : {})
  await send('audit-events/list', { query: { limit: '100' } })
  await send('execution/get')
  await send('cloud-connections/delete', on)
  await send('cloud-credentials/delete', onCredential)
})
afterAll(() => server.close())

/** The keys of which a text holds a good part, as it is, in another case, in base64 or hex, or as a digest. */
function found(text: string): string[] {
  const lower = text.toLowerCase()
  return keys.filter((key) =>
    [
      key.slice(-14),
      key.slice(4, 18),
      Buffer.from(key).toString('base64').slice(0, 20),
      Buffer.from(key).toString('hex').slice(0, 24),
      createHash('sha256').update(key).digest('hex').slice(0, 40),
    ].some((form) => lower.includes(form.toLowerCase())),
  )
}

/** As text, binary attributes among it. */
const textOf = (row: unknown): string =>
  JSON.stringify(row, (_name, value) => (value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value))

describe('the keys of providers', () => {
  test('were sent with every outcome', () => {
    expect([...new Set(answers.map(({ status }) => status))].sort()).toEqual([200, 201, 204, 400, 403, 500, 502])
    expect(answers.filter(({ headers }) => headers['idempotency-replayed'] === 'true').length).toBe(2)
    expect(found(`x${good}x`)).toEqual([good])
  })

  test('are in no answer, but for a model that the provider calls so', () => {
    for (const { text, headers, body } of answers) {
      expect(found(JSON.stringify(headers))).toEqual([])
      if (memberOf(Object(body), 'models') === undefined) expect(found(text)).toEqual([])
    }
  })

  test('are in no log line', () => {
    expect(logLines.some((line) => line.includes('"level":"ERROR"'))).toBe(true)
    for (const line of logLines) expect(found(line)).toEqual([])
  })

  test('are in no stored row, an event among them, but encrypted', async () => {
    const rows = await allRows()
    for (const kind of ['EVENT', 'CONN']) expect(rows.some(({ sk }) => sk.startsWith(`${kind}#`))).toBe(true)
    expect(rows.some(({ pk }) => pk.includes('#IDEM#'))).toBe(true)
    for (const row of rows) expect(found(textOf(row))).toEqual([])
  })

  test('leave no ciphertext in an event or an answer either', async () => {
    const encrypted = (await allRows()).flatMap(({ ciphertext }) =>
      ciphertext instanceof Uint8Array ? [Buffer.from(ciphertext).toString('base64').slice(0, 24)] : [],
    )
    expect(encrypted.length).toBeGreaterThan(0)
    for (const { text } of answers) {
      expect(text).not.toContain('ciphertext')
      for (const part of encrypted) expect(text).not.toContain(part)
    }
  })
})
