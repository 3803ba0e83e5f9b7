import { beforeAll, describe, expect, test } from 'vitest'
import { fullConfigs, integrationsOf, type Made, makeOrgOn, types } from '../../support/integrations.ts'
import { makeBusyOrg, type TestOrg } from '../../support/orgs.ts'
import { expectProblem, faultPaths } from '../../support/problems.ts'

let org: TestOrg
let on: ReturnType<typeof integrationsOf>
const made: Made[] = []
beforeAll(async () => {
  org = await makeOrgOn('enterprise')
  on = integrationsOf(org)
  for (const type of types) made.push(await on.make(type), await on.make(type, {}))
})

const summaryFields = ['category', 'config_valid', 'created_at', 'enabled', 'id', 'name', 'type', 'updated_at']

describe('listing integrations', () => {
  test('shows all of them, newest first, as summaries that agree with the records', async () => {
    const { status, body } = await on.list()
    expect(status).toBe(200)
    expect(body.next_cursor).toBeNull()
    const newestFirst = [...made].reverse()
    expect(newestFirst).toMatchObject(body.data)
    for (const summary of body.data) expect(Object.keys(summary).sort()).toEqual(summaryFields)
    const valid = body.data.filter((summary) => summary.config_valid)
    expect(valid.map(({ type }) => type).sort()).toEqual([...types].sort())
  })

  test.each([1, 3, 16, 100])('pages of %d hand over each exactly once', async (limit) => {
    const ids: string[] = []
    let cursor: string | null = null
    do {
      const query: Record<string, string> = { limit: String(limit), ...(cursor ? { cursor } : {}) }
      const { status, body } = await on.list(query)
      expect(status).toBe(200)
      expect(body.data.length).toBeLessThanOrEqual(limit)
      ids.push(...body.data.map(({ id }) => id))
      cursor = body.next_cursor
    } while (cursor !== null)
    expect(ids).toEqual(made.map(({ id }) => id).reverse())
  })

  test('a change shows in the list', async () => {
    const target = await on.make('slack')
    await on.patch(target.id, { name: 'renamed', enabled: false, config: { webhook_url: null } })
    const { body } = await on.list({ limit: '1' })
    expect(body.data[0]).toMatchObject({ id: target.id, name: 'renamed', enabled: false, config_valid: false })
    await on.remove(target.id)
    expect((await on.list()).body.data.map(({ id }) => id)).not.toContain(target.id)
  })

  test('of another org and of an org without any it is empty or its own', async () => {
    const other = integrationsOf(await makeBusyOrg())
    expect((await other.list()).body).toEqual({ data: [], next_cursor: null })
    const own = await other.make('email', fullConfigs.email)
    expect((await other.list()).body.data.map(({ id }) => id)).toEqual([own.id])
  })

  test.each([
    [{ limit: '0' }, 'limit'],
    [{ limit: '101' }, 'limit'],
    [{ cursor: 'nonsense' }, 'cursor'],
    [{ type: 'slack' }, 'type'],
  ])('the query %j is 400 and named', async (query, path) => {
    const response = await on.list(query as Record<string, string>)
    expectProblem(response, 'invalid_input')
    expect(faultPaths(response)).toEqual([path])
  })

  test('a cursor of another org is 400', async () => {
    const { body } = await on.list({ limit: '1' })
    const other = integrationsOf(await makeBusyOrg())
    expectProblem(await other.list({ cursor: body.next_cursor }), 'invalid_input')
  })
})
