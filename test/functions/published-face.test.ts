/**
 * Every published operation, by what holds for all of them. Each answer, an error too, is held against its closed record by
 * `invokePublished`.
 */
import { beforeAll, describe, expect, test } from 'vitest'
import { requiredFields } from '../../docs/published/schemas.ts'
import { publishedList } from '../../docs/published-document.ts'
import { happyRequest } from '../support/happy-paths.ts'
import { makeOrgOn } from '../support/integrations.ts'
import { invokePublished, publishedRoutes, type Request } from '../support/invoke.ts'
import { busyKey, makeKey, makeOrg, newOwner, type TestOrg } from '../support/orgs.ts'
import { sampleParams } from '../support/sample-ids.ts'

let org: TestOrg
let other: TestOrg
let token = ''
let narrow = ''

beforeAll(async () => {
  org = await makeOrgOn('enterprise')
  other = await makeOrgOn('enterprise')
  token = await busyKey(org)
  narrow = (await makeKey(await makeOrg(), { name: 'narrow', scopes: ['models:read'] })).api_key
})

const pathsOf = (body: { error: { details?: { errors: { path: string }[] } } }) =>
  body.error.details?.errors.map(({ path }) => path) ?? []

describe.each(publishedList.map((entry) => [entry.published.id, entry] as const))('%s', (_id, entry) => {
  const { name, operation, route, published } = entry
  const index = publishedRoutes(name).findIndex((each) => each.published === published)
  const byOrg = route.path.includes('{org_id}')
  const params = (): Record<string, string> => ({ ...sampleParams(operation), ...(byOrg ? { org_id: org.orgId } : {}) })
  const call = (request: Request) => invokePublished(name, { params: params(), ...request }, index)
  const admin = async () => (operation.scope === 'billing:override' ? newOwner(org.orgId) : token)
  const idNames = Object.keys(operation.params.shape).filter((param) => param.endsWith('_id'))

  test('without a credential is 401, and with an unknown key', async () => {
    expect((await call({})).status).toBe(401)
    expect((await call({ token: 'oct_org_live_unknown' })).body.error.code).toBe('invalid_api_key')
  })

  if (operation.scope !== 'any' && !byOrg) {
    test('without its scope is 403 with the published code', async () => {
      const refused = await call({ token: narrow, body: {} })
      expect([refused.status, refused.body.error.code]).toEqual([403, 'insufficient_scope'])
    })
  }

  if (idNames.length > 0) {
    test('of another organization is the same 404 as what does not exist', async () => {
      const { params: foreign } = await happyRequest(name, other)
      const body = operation.method === 'PATCH' ? { body: {} } : {}
      const [unknown, theirs] = [await call({ token, ...body }), await call({ token, params: foreign ?? {}, ...body })]
      const { request_id: _one, ...error } = unknown.body.error
      const { request_id: _two, ...same } = theirs.body.error
      expect([unknown.status, theirs.status]).toEqual([404, 404])
      expect(same).toEqual(error)
      expect(error.code).toMatch(/_not_found$/)
    })
  }

  if (operation.body && !operation.bodyMayBeAbsent && idNames.length === 0) {
    test('names each member that its record does not have, and each that is missing', async () => {
      const refused = await call({ token: await admin(), body: { zz_unknown: 1 } })
      expect([refused.status, refused.body.error.code], refused.text).toEqual([400, 'invalid_input'])
      expect(pathsOf(refused.body)).toEqual(expect.arrayContaining(['zz_unknown']))
      const missing = published.records.request ? requiredFields(published.records.request) : []
      expect(pathsOf(refused.body)).toEqual(expect.arrayContaining(missing))
    })

    test('answers every body that is no JSON object', async () => {
      const credential = await admin()
      for (const rawBody of ['', '{', '[]', 'null', '"x"', '{"a":'.repeat(500)])
        expect((await call({ token: credential, rawBody })).status, rawBody).toBe(400)
      const text = await call({ token: credential, rawBody: '{}', headers: { 'content-type': 'text/plain' } })
      expect([text.status, text.body.error.code]).toEqual([415, 'invalid_input'])
    })
  }

  test('refuses the organization of another', async () => {
    const refused = byOrg
      ? await call({ token, params: { org_id: other.orgId }, body: {} })
      : await call({ token: await admin(), query: { org_id: other.orgId }, body: {} })
    expect([refused.status, refused.body.error.code]).toEqual([403, 'forbidden'])
  })
})

test('each operation of the platform is served once', () => {
  const ids = publishedList.map(({ published }) => published.id)
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids.length).toBeGreaterThanOrEqual(50)
})
