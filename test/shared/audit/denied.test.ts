/** Denied attempts in the audit trail: recorded, and never so often that they hold up anything else. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import { interceptTable } from '../../support/faults.ts'
import { invoke } from '../../support/invoke.ts'
import { makeKey, makeOrg, type TestOrg, tokenFor } from '../../support/orgs.ts'
import { expectProblem } from '../../support/problems.ts'

afterEach(() => {
  vi.useRealTimers()
})

const body = { name: 'server', scopes: ['keys:read'] }
const create = (token: string) => invoke('api-keys/create', { token, body })
const denials = async ({ adminKey }: TestOrg) => {
  const { body } = await invoke('audit-events/list', { token: adminKey, query: { limit: '100' } })
  return body.data.filter(({ result }: { result: string }) => result === 'denied').reverse()
}
const narrowKey = async (org: TestOrg): Promise<string> =>
  (await makeKey(org, { scopes: ['models:read'], rate_limit_per_minute: 10_000 })).api_key
const atMinute = (minute: string) => vi.useFakeTimers({ toFake: ['Date'], now: new Date(`2031-05-06T07:${minute}Z`) })

describe('a denied attempt', () => {
  test('is recorded once per principal, action and minute of the UTC clock: the first', async () => {
    const org = await makeOrg()
    const [one, other] = [await narrowKey(org), await narrowKey(org)]
    atMinute('08:00.000')
    const first = await create(one)
    expectProblem(first, 'forbidden')
    atMinute('08:59.999')
    for (let count = 0; count < 5; count++) expectProblem(await create(one), 'forbidden')
    const ofOther = await create(other)
    const otherAction = await invoke('org-settings/update', { token: one, body: { mfa_required: true } })
    atMinute('09:00.000')
    const nextMinute = await create(one)
    const recorded = (await denials(org)).map(({ request_id }: { request_id: string }) => request_id)
    expect(recorded).toEqual([first, ofOther, otherAction, nextMinute].map(({ body }) => body.request_id))
  })

  test('is recorded once when 40 of them come at once', async () => {
    const org = await makeOrg()
    const key = await narrowKey(org)
    atMinute('10:30.000')
    const answers = await Promise.all(Array.from({ length: 40 }, () => create(key)))
    for (const answer of answers) expectProblem(answer, 'forbidden')
    expect(await denials(org)).toHaveLength(1)
  })

  test('writes one row of the trail, so that a flood delays no other change', async () => {
    const org = await makeOrg()
    const key = await narrowKey(org)
    atMinute('10:30.000')
    let transactions = 0
    await interceptTable(
      ({ command }, send) => {
        if (command === 'TransactWriteItemsCommand') transactions++
        return send()
      },
      () => Promise.all(Array.from({ length: 40 }, () => create(key))),
    )
    expect(transactions).toBe(1)
  })

  test('that could not be recorded is recorded at the next one of its minute', async () => {
    const org = await makeOrg()
    const key = await narrowKey(org)
    atMinute('11:00.000')
    await interceptTable(
      ({ command }, send) => {
        if (command === 'TransactWriteItemsCommand') throw new Error('a fault of the test')
        return send()
      },
      () => create(key),
    )
    expect(await denials(org)).toEqual([])
    const second = await create(key)
    expect((await denials(org)).map(({ request_id }: { request_id: string }) => request_id)).toEqual([
      second.body.request_id,
    ])
  })

  test.each(['api-keys/create-publishable-key', 'api-keys/create-app-key'] as const)(
    'for a scope that the type of the key can never hold is not recorded: %s',
    async (maker) => {
      const org = await makeOrg()
      const { api_key } = await makeKey(org, {}, maker)
      expectProblem(await create(api_key), 'forbidden')
      expect(await denials(org)).toEqual([])
    },
  )

  test('for billing:override, which no key can hold, is recorded for a person and not for a key', async () => {
    const org = await makeOrg()
    const override = (token: string) => invoke('billing/update', { token, body: { plan: 'team', reason: 'test' } })
    expectProblem(await override(org.adminKey), 'forbidden')
    expect(await denials(org)).toEqual([])
    expectProblem(await override(await tokenFor(org.orgId, 'admin')), 'forbidden')
    expect(await denials(org)).toMatchObject([{ actor: { type: 'user' }, action: 'billing.override_set' }])
  })
})
