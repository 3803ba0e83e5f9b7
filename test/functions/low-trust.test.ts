/** Keys that lie open in pages can neither close a target nor fill the audit trail; passing failures are not kept. */

import { randomUUID } from 'node:crypto'
import { TransactionConflictException } from '@aws-sdk/client-dynamodb'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { interceptTable } from '../support/faults.ts'
import { invoke } from '../support/invoke.ts'
import { makeBusyOrg, makeKey, type TestOrg } from '../support/orgs.ts'
import { expectProblem } from '../support/problems.ts'
import { startProvider } from '../support/provider.ts'
import { counted, healthOf, holdClock, makeTarget, patchTarget, report, testTarget } from './execution/targets.ts'

let org: TestOrg
beforeEach(async () => {
  org = await makeBusyOrg()
})
afterEach(() => {
  vi.useRealTimers()
})

const denials = async (action: string): Promise<number> => {
  const { body } = await invoke('audit-events/list', { token: org.adminKey, query: { action } })
  return body.data.filter(({ result }: { result: string }) => result === 'denied').length
}

describe('reports of a publishable key', () => {
  test('are counted, and never open a cooldown', async () => {
    holdClock()
    const target_id = await makeTarget(org)
    const { api_key } = await makeKey(org, {}, 'api-keys/create-publishable-key')
    const sent = await invoke('execution/report', {
      token: api_key,
      body: {
        reports: [{ target_id, started: 50, succeeded: 0, failed: 50, inflight: 0, retry_after_seconds: 86_400 }],
      },
    })
    expect(sent.status).toBe(202)
    const health = await healthOf(org, target_id)
    expect([health.cooldown.active, health.sample_count]).toEqual([false, 50])
    // Nor do they help the next report of a server to open one.
    await counted(org, { target_id, succeeded: 9, failed: 1 })
    expect((await healthOf(org, target_id)).cooldown.active).toBe(false)
  })
})

describe('a cooldown is ended', () => {
  const opened = async (fields: object = {}) => {
    const target_id = await makeTarget(org, fields)
    await report(org, { target_id, retry_after_seconds: 3600 })
    expect((await healthOf(org, target_id)).cooldown.active).toBe(true)
    return target_id
  }

  test('by a test that succeeds', async () => {
    const provider = await startProvider()
    const target_id = await opened({ endpoint: provider.url, runtime: 'openai_compatible' })
    expect((await testTarget(org, target_id)).body.success).toBe(true)
    expect((await healthOf(org, target_id)).cooldown.active).toBe(false)
  })

  test('by a new endpoint and by a new key, and not by a new name', async () => {
    for (const [body, active] of [
      [{ name: 'renamed' }, true],
      [{ endpoint: 'http://127.0.0.1:4321' }, false],
      [{ api_key: 'sk-another-key-123' }, false],
    ] as const) {
      const target_id = await opened()
      expect((await patchTarget(org, target_id, body)).status).toBe(200)
      expect((await healthOf(org, target_id)).cooldown.active).toBe(active)
    }
  })
})

describe('denied attempts', () => {
  test('of a scope that the type of a key can never hold are not recorded', async () => {
    const { api_key } = await makeKey(org, { rate_limit_per_minute: 1000 }, 'api-keys/create-publishable-key')
    for (let count = 0; count < 5; count++) {
      expectProblem(
        await invoke('org-policies/update', { token: api_key, body: { privacy_mode: 'strict' } }),
        'forbidden',
      )
    }
    expect(await denials('org_policies.updated')).toBe(0)
  })

  test('are recorded once per principal, action and minute, also when they come at once', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2031, 1, 1, 12, 0, 5) })
    const { api_key: one } = await makeKey(org)
    const { api_key: other } = await makeKey(org)
    const attempt = (token: string) => invoke('org-policies/update', { token, body: { privacy_mode: 'strict' } })
    await Promise.all(Array.from({ length: 10 }, () => attempt(one)))
    expect(await denials('org_policies.updated')).toBe(1)
    await attempt(other)
    expect(await denials('org_policies.updated')).toBe(2)
    vi.setSystemTime(Date.UTC(2031, 1, 1, 12, 1, 0))
    await attempt(one)
    expect(await denials('org_policies.updated')).toBe(3)
  })
})

describe('an idempotency key', () => {
  const create = (key: string) =>
    invoke('api-keys/create', {
      token: org.adminKey,
      headers: { 'idempotency-key': key },
      body: { name: 'once', scopes: ['keys:read'] },
    })

  test('succeeds when the response to its first write is lost', async () => {
    let lost = 0
    const answer = await interceptTable(
      async ({ command }, pass) => {
        const result = await pass()
        if (command !== 'PutItemCommand' || lost > 0) return result
        lost += 1
        // What the SDK does: it sends the request again.
        return pass()
      },
      () => create(randomUUID()),
    )
    expect([answer.status, lost]).toEqual([201, 1])
  })

  test('survives transactions on its row', async () => {
    let conflicts = 0
    const answer = await interceptTable(
      async ({ command }, pass) => {
        const isSingle = command === 'PutItemCommand' || command === 'UpdateItemCommand'
        if (!isSingle || conflicts >= 3) return pass()
        conflicts += 1
        throw new TransactionConflictException({ message: 'busy', $metadata: {} })
      },
      () => create(randomUUID()),
    )
    expect([answer.status, conflicts]).toEqual([201, 3])
  })

  test('replays a create whose expiry is now in the past', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2031, 1, 1) })
    const request = {
      token: org.adminKey,
      headers: { 'idempotency-key': randomUUID() },
      body: { name: 'short', scopes: ['keys:read'], expires_at: '2031-02-01T01:00:00Z' },
    }
    const first = await invoke('api-keys/create', request)
    expect(first.status).toBe(201)
    vi.setSystemTime(Date.UTC(2031, 1, 1, 2))
    const again = await invoke('api-keys/create', request)
    expect([again.status, again.body.id]).toEqual([201, first.body.id])
  })
})
