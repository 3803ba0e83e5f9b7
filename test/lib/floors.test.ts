/**
 * The floors of the house: the allowed imports between folders. Imports, type imports included, only go down, so a folder can be
 * understood, changed and tested with the folders below it.
 */
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '..', '..')

/** From the ground up. Folders on the same floor do not import each other. */
const floors: readonly (readonly string[])[] = [
  ['shared'],
  ['shared/runtime'],
  ['shared/table', 'shared/secrets'],
  ['shared/audit', 'shared/outbound', 'shared/stripe', 'shared/orgs'],
  ['shared/storage', 'shared/providers', 'shared/auth'],
  ['shared/billing'],
  [
    ...['shared/api-keys', 'shared/cloud-connections', 'shared/cloud-credentials'],
    ...['shared/cloud-policy', 'shared/org-auth', 'shared/org-policies', 'shared/sign-in'],
  ],
  ['shared/service-keys'],
  [
    'shared/execution',
    'shared/integrations',
    'shared/operator',
    'shared/org-settings',
    'shared/stripe-events',
    'shared/usage-limits',
  ],
  ['shared/trail'],
  ['shared/usage'],
  ['shared/introspection'],
  ['shared/http', 'shared/delivery'],
  [
    ...['functions/api-keys', 'functions/audit-events', 'functions/billing', 'functions/cloud-connections'],
    ...['functions/cloud-credentials', 'functions/cloud-policy', 'functions/execution', 'functions/integrations'],
    ...[
      'functions/meta',
      'functions/org-auth',
      'functions/org-policies',
      'functions/sign-in',
      'functions/stripe-events',
    ],
    'functions/usage',
    'functions/usage-limits',
  ],
  ['functions/org-settings'],
  ['functions'],
  ['functions/catch-all'],
  ['lib'],
  ['bin'],
  ['docs/published'],
  ['docs'],
  ['local-stripe/src/model'],
  ['local-stripe/src/http'],
  ['local-stripe/src/pages'],
  ['local-stripe/src'],
  ['local'],
  ['client/src'],
  ['test/support'],
  ['bench'],
  // The cost model uses the benchmarks' engine, calls and report tables; no benchmark knows a price.
  ['cost'],
]

const floorOf = new Map(floors.flatMap((folders, floor) => folders.map((folder) => [folder, floor] as const)))
const rooms = 'bin,lib,functions,shared,local,local-stripe/src,docs,bench,cost,client/src,test/support'
const sources = globSync(`{${rooms}}/**/*.ts`, { cwd: root })

/** Packages of this repository, by the name that others import: each entry with its file. */
const entries = new Map(
  ['local-stripe'].flatMap((folder) => {
    const { name, exports } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as {
      name: string
      exports: Record<string, string>
    }
    return Object.entries(exports).map(([entry, file]) => [join(name, entry), join(folder, file)] as const)
  }),
)

interface Import {
  from: string
  to: string
}

/** The imports of files of this repository: values, types, and dynamic imports. */
const importsOf = (file: string, text: string): Import[] =>
  [...text.matchAll(/(?:\bfrom|\bimport\()\s*['"]([^'"]+)['"]/g)].flatMap(([, specifier = '']) => {
    const isRelative = specifier.startsWith('.') && specifier.endsWith('.ts')
    const to = isRelative ? normalize(join(dirname(file), specifier)) : entries.get(specifier)
    return to ? { from: file, to } : []
  })

/** The fault of an import, or undefined. */
function faultOf({ from, to }: Import): string | undefined {
  const [above, below] = [dirname(from), dirname(to)]
  if (above === below) return undefined
  const [own, other] = [floorOf.get(above), floorOf.get(below)]
  if (own === undefined || other === undefined)
    return `${from} -> ${to}: no floor of ${own === undefined ? above : below}`
  return other < own ? undefined : `${from} -> ${to}: ${below} is not below ${above}`
}

const allImports = sources.flatMap((file) => importsOf(file, readFileSync(join(root, file), 'utf8')))

describe('imports', () => {
  test('lead down only, those of types too', () => {
    expect(sources.length).toBeGreaterThan(400)
    expect(allImports.flatMap((each) => faultOf(each) ?? [])).toEqual([])
  })

  test.each([
    ["import { serve } from '../http/serve.ts'", 'shared/billing/rows.ts'],
    ["import type { Exchange } from '../http/exchange.ts'", 'shared/auth/caller.ts'],
    ["const late = await import('../http/page.ts')", 'shared/table/client.ts'],
    [
      "export type { Answer } from '../../shared/http/answer.ts'\nimport { createApiKey } from '../api-keys/contract.ts'",
      'functions/billing/get.ts',
    ],
    ["import { addStacks } from '../lib/app.ts'", 'shared/ids.ts'],
    ["import { startService } from '../local/service.ts'", 'lib/app.ts'],
    ["import { createStripe } from '@octomil/local-stripe'", 'lib/app.ts'],
    ["import type { Store } from '@octomil/local-stripe/model'", 'shared/billing/sync.ts'],
  ])('upward are found: %s', (planted, file) => {
    expect(importsOf(file, planted).flatMap((each) => faultOf(each) ?? [])).toHaveLength(1)
  })

  test('of the local Stripe stay within its package, tests included', () => {
    const files = globSync('local-stripe/**/*.ts', { cwd: root, exclude: (name) => name === 'node_modules' })
    const imports = files.flatMap((file) => importsOf(file, readFileSync(join(root, file), 'utf8')))
    expect(imports.length).toBeGreaterThan(100)
    expect(imports.filter(({ to }) => !to.startsWith('local-stripe/'))).toEqual([])
  })

  test('of others reach the local Stripe through its entries only', () => {
    const files = globSync('{bin,lib,functions,shared,local,docs,bench,cost,test}/**/*.ts', { cwd: root })
    const imports = files.flatMap((file) => importsOf(file, readFileSync(join(root, file), 'utf8')))
    const faces = new Set(entries.values())
    expect(imports.filter(({ to }) => to.startsWith('local-stripe/src') && !faces.has(to))).toEqual([])
    expect(imports.some(({ to }) => faces.has(to))).toBe(true)
  })

  test('every folder has a floor, and every floor a folder that exists', () => {
    expect([...new Set(sources.map(dirname))].filter((folder) => !floorOf.has(folder))).toEqual([])
    const existing = new Set(sources.map(dirname))
    expect([...floorOf.keys()].filter((folder) => !existing.has(folder))).toEqual([])
  })
})
