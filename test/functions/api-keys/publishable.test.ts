import { beforeAll, describe, expect, test } from 'vitest'
import { invoke, type Request } from '../../support/invoke.ts'
import { makeBusyOrg, makeKey, type TestOrg } from '../../support/orgs.ts'
import { expectProblem, faultPaths } from '../../support/problems.ts'

const publishableScopes = ['devices:register', 'devices:heartbeat', 'telemetry:write', 'models:read']

let org: TestOrg
beforeAll(async () => {
  org = await makeBusyOrg()
})

const create = (body: object = {}, request: Request = {}) =>
  invoke('api-keys/create-publishable-key', { token: org.adminKey, body: { name: 'web', ...body }, ...request })
const keyFor = async (body: object): Promise<string> =>
  (await makeKey(org, body, 'api-keys/create-publishable-key')).api_key
const useFrom = (token: string, origin?: string) =>
  invoke('api-keys/scopes', { token, headers: origin === undefined ? {} : { origin } })

describe('creating a publishable key', () => {
  test.each(['live', 'test'])('a %s key holds the publishable scopes and 60 requests a minute', async (environment) => {
    const { status, body, headers } = await create({ environment })
    expect(status).toBe(201)
    expect(body.api_key).toMatch(new RegExp(`^oct_pub_${environment}_[0-9A-Za-z]{38}$`))
    expect(body).toMatchObject({
      key_type: 'publishable',
      environment,
      scopes: publishableScopes,
      allowed_origins: [],
      rate_limit_per_minute: 60,
      app_id: null,
      expires_at: null,
    })
    expect(headers.location).toBe(`/api/v2/settings/api-keys/${body.id}`)
    const used = await useFrom(body.api_key)
    expect(used.status).toBe(200)
    expect(used.headers['ratelimit-policy']).toBe('"default";q=60;w=60')
    expect(used.headers.ratelimit).toMatch(/^"default";r=59;/)
  })

  test('it may hold fewer of its scopes and another limit', async () => {
    const { body } = await create({ scopes: ['telemetry:write'], rate_limit_per_minute: 5000 })
    expect(body).toMatchObject({ scopes: ['telemetry:write'], rate_limit_per_minute: 5000 })
  })

  test.each([[['keys:read']], [['telemetry:write', 'cloud:inference']], [['admin:read']], [[]], [null]])(
    'the scopes %j are 400',
    async (scopes) => {
      const response = await create({ scopes })
      expectProblem(response, 'invalid_input')
      for (const path of faultPaths(response)) expect(path).toMatch(/^scopes(\.\d)?$/)
    },
  )

  test.each([
    ['rate_limit_per_minute', 0],
    ['rate_limit_per_minute', 100_001],
    ['rate_limit_per_minute', null],
    ['allowed_origins', 'https://app.example.com'],
    ['allowed_origins', null],
    ['app_id', 'app-1'],
    ['expires_at', 'tomorrow'],
  ])('%s as %j is 400, and the field is named', async (field, value) => {
    const response = await create({ [field]: value })
    expectProblem(response, 'invalid_input')
    expect(faultPaths(response)).toEqual([field])
  })

  test('a caller can grant only scopes that it holds', async () => {
    const { api_key } = await makeKey(org, { scopes: ['keys:write', 'telemetry:write'] })
    const response = await create({}, { token: api_key })
    expectProblem(response, 'forbidden')
    expect(response.body.detail).toContain('devices:register')
    expect((await create({ scopes: ['telemetry:write'] }, { token: api_key })).status).toBe(201)
  })

  test('50 origins are taken, and one more is 400', async () => {
    const origins = Array.from({ length: 51 }, (_, index) => `https://a${index}.example.com`)
    const taken = await create({ allowed_origins: origins.slice(0, 50) })
    expect(taken.body.allowed_origins).toEqual(origins.slice(0, 50))
    const refused = await create({ allowed_origins: origins })
    expectProblem(refused, 'invalid_input')
    expect(faultPaths(refused)).toEqual(['allowed_origins'])
  })

  test.each([
    'https://app.example.com',
    'https://app.example.com:8443',
    'https://xn--bcher-kva.example',
    'https://192.0.2.7',
  ])('%s is an origin', async (origin) => {
    expect((await create({ allowed_origins: [origin] })).status).toBe(201)
  })

  const notOrigins = [
    'http://app.example.com',
    'https://app.example.com/',
    'https://app.example.com/path',
    'https://app.example.com?x=1',
    'https://app.example.com:443',
    'https://app.example.com:0x50',
    'https://app.example.com:99999',
    'https://*.example.com',
    'https://*',
    '*',
    'https://APP.example.com',
    'https://user@app.example.com',
    'https://bücher.example',
    'https://',
    'app.example.com',
    'null',
    '',
    ' https://app.example.com',
    'https://app.example.com\n',
    'ftp://app.example.com',
    'http://localhost',
    'http://localhost:99999',
    'http://localhost:**',
    'http://localhost.example.com:3000',
    'http://127.0.0.1:3000',
  ]

  test.each(['live', 'test'])(
    'a value that is no exact https origin is 400 for a %s key, named by its position',
    async (environment) => {
      const good = 'https://app.example.com'
      const response = await create({ environment, allowed_origins: [good, ...notOrigins] })
      expectProblem(response, 'invalid_input')
      expect(faultPaths(response)).toEqual(notOrigins.map((_, index) => `allowed_origins.${index + 1}`))
    },
  )

  test('a bad origin is named by its position in the request, also after repeated ones', async () => {
    const good = 'https://app.example.com'
    const response = await create({ allowed_origins: [good, good, 'https://bad.example.com/'] })
    expectProblem(response, 'invalid_input')
    expect(faultPaths(response)).toEqual(['allowed_origins.2'])
  })

  test.each(['http://localhost:3000', 'http://localhost:*'])('%s is for test keys only', async (origin) => {
    expect((await create({ environment: 'test', allowed_origins: [origin] })).status).toBe(201)
    const response = await create({ environment: 'live', allowed_origins: [origin] })
    expectProblem(response, 'invalid_input')
    expect(faultPaths(response)).toEqual(['allowed_origins.0'])
  })
})

describe('using a publishable key that is bound to origins', () => {
  test('works from its origins, and is 403 from any other and from none', async () => {
    const token = await keyFor({ allowed_origins: ['https://a.example.com', 'https://b.example.com:8443'] })
    for (const origin of ['https://a.example.com', 'https://b.example.com:8443']) {
      expect((await useFrom(token, origin)).status).toBe(200)
    }
    const others = [
      undefined,
      '',
      'null',
      'https://c.example.com',
      'http://a.example.com',
      'https://a.example.com:8443',
      'https://b.example.com',
      'https://a.example.com.evil.example',
      'https://a.example.com/',
    ]
    for (const origin of others) {
      const response = await useFrom(token, origin)
      expectProblem(response, 'forbidden')
      expect(response.headers.ratelimit).toMatch(/^"default";r=\d+/)
    }
  })

  test('one without a list works from anywhere', async () => {
    const token = await keyFor({})
    for (const origin of [undefined, 'https://anything.example', 'null']) {
      expect((await useFrom(token, origin)).status).toBe(200)
    }
  })

  test('one for any port of localhost works from every port, and from no other host', async () => {
    const token = await keyFor({ environment: 'test', allowed_origins: ['http://localhost:*'] })
    for (const port of [1, 3000, 65_535]) expect((await useFrom(token, `http://localhost:${port}`)).status).toBe(200)
    for (const origin of ['https://localhost:3000', 'http://localhost.evil.example:80', 'http://127.0.0.1:3000']) {
      expectProblem(await useFrom(token, origin), 'forbidden')
    }
    for (const origin of ['http://localhost:', 'http://localhost:*', 'http://localhost:80@evil.example']) {
      expectProblem(await useFrom(token, origin), 'forbidden')
    }
  })

  test('one for any port of localhost works from port 80, which browsers do not name', async () => {
    const token = await keyFor({ environment: 'test', allowed_origins: ['http://localhost:*'] })
    expect((await useFrom(token, 'http://localhost')).status).toBe(200)
  })

  test('one for one port of localhost works from no other port', async () => {
    const token = await keyFor({ environment: 'test', allowed_origins: ['http://localhost:3000'] })
    expect((await useFrom(token, 'http://localhost:3000')).status).toBe(200)
    expectProblem(await useFrom(token, 'http://localhost:3001'), 'forbidden')
  })

  test('a rotation keeps the origins and the limit', async () => {
    const created = await create({ allowed_origins: ['https://a.example.com'], rate_limit_per_minute: 9 })
    const { body } = await invoke('api-keys/rotate', { token: org.adminKey, params: { key_id: created.body.id } })
    expect(body).toMatchObject({ allowed_origins: ['https://a.example.com'], rate_limit_per_minute: 9 })
    expectProblem(await useFrom(body.api_key), 'forbidden')
    expect((await useFrom(body.api_key, 'https://a.example.com')).status).toBe(200)
  })
})
