import { beforeAll, describe, expect, test } from 'vitest'
import { type BodyOf, invoke, type Response } from '../../support/invoke.ts'
import { makeKey, makeOrg, type TestOrg, tokenFor } from '../../support/orgs.ts'

// Spelled from the contract: published clients rely on these names.
const productScopes =
  'catalog:read models:read models:write devices:register devices:heartbeat control:refresh telemetry:write rollouts:read rollouts:write benchmarks:write evals:write cloud:inference cloud:credentials'.split(
    ' ',
  )
const controlScopes =
  'keys:read keys:write billing:read billing:write billing:override execution:read execution:write settings:read settings:write auth:write integrations:read integrations:write audit:read keys:introspect usage:read usage:write'.split(
    ' ',
  )
const singleScopes = [...productScopes, ...controlScopes]
const bundles = ['admin:read', 'admin:write']

let org: TestOrg
let registry: Response<BodyOf<'api-keys/scopes'>>
beforeAll(async () => {
  org = await makeOrg()
  registry = await invoke('api-keys/scopes', { token: org.readOnlyKey })
})

describe('the scope registry', () => {
  test('names every scope once, with a description', () => {
    expect(registry.status).toBe(200)
    const { scopes } = registry.body
    expect(scopes.map(({ scope }) => scope)).toEqual([...singleScopes, ...bundles])
    for (const { description } of scopes) expect(description).toMatch(/^[A-Z].*\.$/)
  })

  test('tells what the bundles stand for', () => {
    const includes = (bundle: string) => registry.body.scopes.find(({ scope }) => scope === bundle).includes.sort()
    expect(includes('admin:read')).toEqual(controlScopes.filter((scope) => scope.endsWith(':read')).sort())
    const unbundled = ['billing:override', 'keys:introspect', 'usage:write']
    expect(includes('admin:write')).toEqual(controlScopes.filter((scope) => !unbundled.includes(scope)).sort())
    for (const scope of singleScopes) expect(includes(scope)).toEqual([])
  })

  test('tells what a key of each type may hold', () => {
    const { org: orgScopes, app, publishable, ...rest } = registry.body.key_types
    expect(rest).toEqual({})
    expect([...orgScopes].sort()).toEqual([...singleScopes, ...bundles].filter((s) => s !== 'billing:override').sort())
    expect(app).toEqual(['catalog:read', 'models:read', 'cloud:inference', 'telemetry:write', 'control:refresh'])
    expect(publishable).toEqual(['devices:register', 'devices:heartbeat', 'telemetry:write', 'models:read'])
  })

  test('tells what each role holds', () => {
    const { owner = [], admin = [], member, ...rest } = registry.body.roles
    expect(rest).toEqual({})
    expect([...owner].sort()).toEqual([...singleScopes, ...bundles].sort())
    const notAdmin = ['billing:write', 'billing:override']
    expect([...admin].sort()).toEqual(singleScopes.filter((scope) => !notAdmin.includes(scope)).sort())
    expect(member).toEqual([
      'keys:read',
      'billing:read',
      'execution:read',
      'settings:read',
      'integrations:read',
      'usage:read',
    ])
  })

  test('has named templates that an org key can be created with', async () => {
    const { templates } = registry.body
    expect(templates.map(({ name }) => name)).toEqual([
      'read_only',
      'ci_deploy',
      'device_fleet',
      'inference_server',
      'full_admin',
    ])
    for (const { scopes, description } of templates) {
      expect(description).not.toBe('')
      const key = await makeKey(org, { scopes })
      expect(key.scopes).toEqual(scopes)
    }
  })

  test('is the same for every valid token, whatever its org and its scopes', async () => {
    const other = await makeOrg()
    const app = await makeKey(org, {}, 'api-keys/create-app-key')
    const publishable = await makeKey(org, {}, 'api-keys/create-publishable-key')
    const tokens = [other.adminKey, app.api_key, publishable.api_key, await tokenFor(other.orgId, 'member')]
    for (const token of tokens) {
      const { status, text, headers } = await invoke('api-keys/scopes', { token })
      expect(status).toBe(200)
      expect(text).toBe(registry.text)
      expect(headers.etag).toBe(registry.headers.etag)
    }
  })

  test('may be cached, and has a version and a strong validator', () => {
    expect(registry.headers['cache-control']).toMatch(/max-age=[1-9]\d*/)
    expect(registry.headers['cache-control']).toMatch(/private/)
    expect(registry.headers.etag).toMatch(/^"[^"]+"$/)
    expect(registry.body.registry_version).toMatch(/^\S+$/)
  })

  test('a member reads, and each of its scopes lets it in where it is asked for', async () => {
    const member = await tokenFor(org.orgId, 'member')
    expect((await invoke('api-keys/list', { token: member })).status).toBe(200)
    expect((await invoke('audit-events/list', { token: member })).status).toBe(403)
    const admin = await tokenFor(org.orgId, 'admin')
    expect((await invoke('audit-events/list', { token: admin })).status).toBe(200)
  })
})
