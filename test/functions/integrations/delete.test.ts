import { beforeAll, describe, expect, test } from 'vitest'
import { integrationsOf, makeOrgOn } from '../../support/integrations.ts'
import { makeBusyOrg, type TestOrg } from '../../support/orgs.ts'
import { bareProblem, expectProblem } from '../../support/problems.ts'
import { allRows } from '../../support/rows.ts'

let org: TestOrg
let on: ReturnType<typeof integrationsOf>
beforeAll(async () => {
  org = await makeOrgOn('enterprise')
  on = integrationsOf(org)
})

describe('deleting an integration', () => {
  test('is 204 without a body, and from then on it is 404 everywhere', async () => {
    const { id } = await on.make('webhook')
    const { status, text } = await on.remove(id)
    expect({ status, text }).toEqual({ status: 204, text: '' })
    for (const call of [on.remove(id), on.get(id), on.patch(id, { name: 'x' }), on.validate(id)]) {
      expectProblem(await call, 'not_found')
    }
  })

  test('its row, the encrypted secrets among it, is gone', async () => {
    const { id } = await on.make('datadog')
    await on.remove(id)
    const rows = (await allRows()).filter(({ sk }) => sk.startsWith('INT#') && sk.includes(id))
    expect(rows).toEqual([])
  })

  test('it leaves one event, and a second attempt leaves none', async () => {
    const { id } = await on.make('opsgenie', undefined, 'gone')
    await on.remove(id)
    await on.remove(id)
    const events = await on.eventsOf(id)
    expect(events.map(({ action, result }) => [action, result])).toEqual([
      ['integration.created', 'success'],
      ['integration.deleted', 'success'],
    ])
    expect(events[1]?.resource).toEqual({ type: 'integration', id, name: 'gone' })
  })

  test('with another ETag is 412 and it stays; with its own, or *, it goes', async () => {
    const stale = await on.make('slack')
    await on.patch(stale.id, { enabled: false })
    expectProblem(await on.remove(stale.id, { headers: { 'if-match': stale.etag } }), 'precondition_failed')
    const current = await on.get(stale.id)
    expect(current.status).toBe(200)
    expect((await on.eventsOf(stale.id)).map(({ action }) => action)).toEqual([
      'integration.created',
      'integration.updated',
    ])
    const { etag = '' } = current.headers
    expect((await on.remove(stale.id, { headers: { 'if-match': etag } })).status).toBe(204)
    const any = await on.make('slack')
    expect((await on.remove(any.id, { headers: { 'if-match': '*' } })).status).toBe(204)
  })

  test('ten times at once is one deletion and one event', async () => {
    const { id } = await on.make('email')
    const answers = await Promise.all(Array.from({ length: 10 }, () => on.remove(id)))
    expect(answers.map(({ status }) => status).sort()).toEqual([204, ...Array(9).fill(404)])
    expect((await on.eventsOf(id)).filter(({ action }) => action === 'integration.deleted')).toHaveLength(1)
  })

  test('a key that only reads is 403, and it stays', async () => {
    const { id } = await on.make('email')
    expectProblem(await on.remove(id, { token: org.readOnlyKey }), 'forbidden')
    expect((await on.get(id)).status).toBe(200)
    expect((await on.eventsOf(id)).at(-1)).toMatchObject({ action: 'integration.deleted', result: 'denied' })
  })
})

describe("another org's integration", () => {
  test('gives the same answer as a missing one, and does not change', async () => {
    const foreign = integrationsOf(await makeBusyOrg())
    const { id, etag } = await on.make('slack')
    const nobody = 'int_01jd3v7k3q9x5m2n8r4t6w0y1z'
    const calls = (target: string) => [
      foreign.get(target),
      foreign.patch(target, { name: 'mine' }),
      foreign.patch(target, { name: 'mine' }, { headers: { 'if-match': etag } }),
      foreign.patch(target, { config: { webhook_url: 'not a url' } }),
      foreign.remove(target),
      foreign.remove(target, { headers: { 'if-match': '"other"' } }),
      foreign.validate(target),
      foreign.validate(target, {}),
    ]
    const [theirs, absent] = [await Promise.all(calls(id)), await Promise.all(calls(nobody))]
    for (const response of theirs) expectProblem(response, 'not_found')
    expect(theirs.map(bareProblem)).toEqual(absent.map(bareProblem))
    expect((await on.get(id)).headers.etag).toBe(etag)
    expect(await on.eventsOf(id)).toHaveLength(1)
  })
})
