/** A ciphertext belongs to its row: moved by hand to another record or org it does not open, and nothing breaks by it. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { expectWholeChain, trailEnd } from '../../support/governance.ts'
import { invoke } from '../../support/invoke.ts'
import { makeBusyOrg, type TestOrg } from '../../support/orgs.ts'
import { expectProblem } from '../../support/problems.ts'
import { openAiModels, startProvider, type TestProvider } from '../../support/provider.ts'
import { putRow, rowsOf, type StoredRow } from '../../support/rows.ts'
import { connectionsOf, type Made } from './connections.ts'

const key = 'sk-stored-81Kq07Wm53Tn'
let org: TestOrg
let on: ReturnType<typeof connectionsOf>
let server: TestProvider
let source: Made
beforeAll(async () => {
  org = await makeBusyOrg()
  on = connectionsOf(org)
  server = await startProvider(openAiModels)
  source = await on.make(body())
})
beforeEach(() => {
  server.requests.length = 0
})
afterAll(() => server.close())

const body = () => ({ provider: 'openai_compatible', name: 'x', api_key: key, base_url: `${server.url}/v1` })

async function rowOf({ orgId }: TestOrg, sk: string): Promise<StoredRow> {
  const [row, ...more] = await rowsOf(orgId, sk)
  if (!row || more.length > 0) throw new Error(`there must be one row ${sk}`)
  return row
}

/** Asserts that the key of a connection does not open, and that the record can be mended as the answer says. */
async function expectLocked(owner: TestOrg, id: string): Promise<void> {
  const calls = connectionsOf(owner)
  const end = await trailEnd(owner)
  const before = await rowOf(owner, `CONN#${id}`)
  server.requests.length = 0
  for (const ask of [calls.test, calls.models]) {
    const response = await ask(id)
    expectProblem(response, 'server_error')
    expect(response.body.retryable).toBe(false)
    expect(response.body.detail).toMatch(/cannot decrypt.*PATCH.*api_key/)
  }
  expect(server.requests).toEqual([])
  expect(await rowOf(owner, `CONN#${id}`)).toEqual(before)
  expect(await trailEnd(owner)).toBe(end)
  await expectWholeChain(owner)
  expect((await calls.get(id)).status).toBe(200)
  expect((await calls.patch(id, { api_key: key })).body.verification_status).toBe('verified')
  expect((await calls.test(id)).body.success).toBe(true)
}

describe('a moved ciphertext', () => {
  test('to another record of the same org does not open', async () => {
    const target = await on.make(body())
    const { ciphertext } = await rowOf(org, `CONN#${source.id}`)
    await putRow({ ...(await rowOf(org, `CONN#${target.id}`)), ciphertext })
    await expectLocked(org, target.id)
  })

  test('as a whole row to another org does not open there', async () => {
    const thief = await makeBusyOrg()
    const row = await rowOf(org, `CONN#${source.id}`)
    await putRow({ ...row, pk: `ORG#${thief.orgId}` })
    await expectLocked(thief, source.id)
    expect((await on.test(source.id)).body.success).toBe(true)
  })

  test('from a credential does not open: it was encrypted for another purpose', async () => {
    const made = await invoke('cloud-credentials/create', { token: org.adminKey, body: body() })
    const target = await on.make(body())
    const { ciphertext } = await rowOf(org, `CRED#${made.body.id}`)
    await putRow({ ...(await rowOf(org, `CONN#${target.id}`)), ciphertext })
    await expectLocked(org, target.id)
  })

  test('or broken in one bit, or cut, does not open', async () => {
    const target = await on.make(body())
    const row = await rowOf(org, `CONN#${target.id}`)
    const encrypted = Buffer.from(row.ciphertext as Uint8Array)
    const flipped = Buffer.from(encrypted)
    flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1
    await putRow({ ...row, ciphertext: new Uint8Array(flipped) })
    await expectLocked(org, target.id)
    await putRow({ ...(await rowOf(org, `CONN#${target.id}`)), ciphertext: new Uint8Array(encrypted.subarray(0, 30)) })
    await expectLocked(org, target.id)
  })
})
