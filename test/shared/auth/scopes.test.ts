import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  expandScopes,
  keyTypeScopes,
  missingScopes,
  roleScopes,
  type Scope,
  scopeNames,
  templateScopes,
} from '../../../shared/auth/scopes.ts'

const bundles = new Set<Scope>(['admin:read', 'admin:write'])
const single = scopeNames.filter((scope) => !bundles.has(scope))
const scopeLists = fc.subarray([...scopeNames])
const control = single.filter((scope) =>
  /^(keys|billing|execution|settings|auth|integrations|audit|usage):/.test(scope),
)

const unbundled = new Set<Scope>(['billing:override', 'keys:introspect', 'usage:write'])

describe('opening scopes', () => {
  test('gives single scopes only, each of which the list names or a bundle in it stands for', () => {
    fc.assert(
      fc.property(scopeLists, (scopes) => {
        const opened = expandScopes(scopes)
        for (const scope of opened) {
          expect(bundles.has(scope)).toBe(false)
          const named = scopes.includes(scope)
          const read = scopes.includes('admin:read') && control.includes(scope) && scope.endsWith(':read')
          const write = scopes.includes('admin:write') && control.includes(scope) && !unbundled.has(scope)
          expect(named || read || write, scope).toBe(true)
        }
        for (const scope of scopes) if (!bundles.has(scope)) expect(opened.has(scope as never)).toBe(true)
      }),
    )
  })

  test('does not care for order or repetition, and opens nothing twice', () => {
    fc.assert(
      fc.property(scopeLists, (scopes) => {
        const opened = [...expandScopes(scopes)].sort()
        expect([...expandScopes([...scopes].reverse().concat(scopes))].sort()).toEqual(opened)
        expect([...expandScopes(opened)].sort()).toEqual(opened)
      }),
    )
  })

  test('of more scopes gives no fewer', () => {
    fc.assert(
      fc.property(scopeLists, scopeLists, (some, others) => {
        const together = expandScopes([...some, ...others])
        expect(expandScopes(some).isSubsetOf(together)).toBe(true)
        expect(expandScopes(some).union(expandScopes(others))).toEqual(together)
      }),
    )
  })
})

describe('what a holder lacks', () => {
  test('is nothing of what it holds, and all of what it holds nothing of', () => {
    fc.assert(
      fc.property(scopeLists, scopeLists, (wanted, held) => {
        expect(missingScopes(held, held)).toEqual([])
        expect(missingScopes(wanted, [])).toEqual([...expandScopes(wanted)])
        const missing = missingScopes(wanted, held)
        expect(missingScopes(wanted, [...held, ...missing])).toEqual([])
        for (const scope of missing) expect(expandScopes(held).has(scope as never)).toBe(false)
      }),
    )
  })

  test('is never a bundle: the parts are named', () => {
    fc.assert(
      fc.property(scopeLists, scopeLists, (wanted, held) => {
        for (const scope of missingScopes(wanted, held)) expect(bundles.has(scope)).toBe(false)
      }),
    )
  })

  test('of a bundle is nothing for who holds all parts, and the part that is missing otherwise', () => {
    for (const bundle of bundles) {
      const parts = [...expandScopes([bundle])]
      expect(missingScopes([bundle], parts)).toEqual([])
      for (const part of parts) {
        const others = parts.filter((other) => other !== part)
        expect(missingScopes([bundle], others)).toEqual([part])
        expect(missingScopes([part], [bundle])).toEqual([])
      }
    }
  })

  test('of reading is nothing for who may administer in writing, and of writing everything for who may only read', () => {
    expect(missingScopes(['admin:read'], ['admin:write'])).toEqual([])
    const lacking = missingScopes(['admin:write'], ['admin:read'])
    expect(lacking.length).toBeGreaterThan(0)
    for (const scope of lacking) expect(scope.endsWith(':read')).toBe(false)
  })
})

describe('what key types, roles and templates hold', () => {
  test('billing:override is in no bundle, no template and no key, and with the owner alone', () => {
    expect(expandScopes([...bundles]).has('billing:override')).toBe(false)
    for (const scopes of Object.values(keyTypeScopes)) expect(expandScopes(scopes).has('billing:override')).toBe(false)
    const templates = ['read_only', 'ci_deploy', 'device_fleet', 'inference_server', 'full_admin']
    for (const template of templates) {
      expect(missingScopes(templateScopes(template), keyTypeScopes.org)).toEqual([])
    }
    const holders = Object.entries(roleScopes).filter(([, scopes]) => expandScopes(scopes).has('billing:override'))
    expect(holders.map(([role]) => role)).toEqual(['owner'])
  })

  test('each role holds no more than the one above it', () => {
    expect(missingScopes(roleScopes.member, roleScopes.admin)).toEqual([])
    expect(missingScopes(roleScopes.admin, roleScopes.owner)).toEqual([])
    expect(missingScopes(roleScopes.owner, roleScopes.admin)).toEqual(['billing:write', 'billing:override'])
  })

  test('a member changes nothing', () => {
    for (const scope of expandScopes(roleScopes.member)) expect(scope).toMatch(/:read$/)
  })

  test('cloud:credentials is for org keys, owners and admins', () => {
    const holders = { ...keyTypeScopes, ...roleScopes }
    const names = Object.entries(holders).filter(([, scopes]) => expandScopes(scopes).has('cloud:credentials'))
    expect(names.map(([name]) => name).sort()).toEqual(['admin', 'org', 'owner'])
  })

  test('the read_only template opens no scope that changes anything', () => {
    for (const scope of expandScopes(templateScopes('read_only'))) expect(scope).toMatch(/:read$/)
  })
})
