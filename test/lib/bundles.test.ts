/** The deployed folder of each function: self-contained, with a minimal start. */
import { execFileSync } from 'node:child_process'
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { backgroundList } from '../../functions/background.ts'
import { catchAll, operationList } from '../../functions/operations.ts'
import { bundle } from '../../lib/bundle.ts'

const kib = 1024
const { bytes, late, folderOf } = bundle()
const names = Object.keys(bytes)
const sizeAtStart = (name: string): number =>
  (bytes[name] ?? 0) - Object.values(late[name] ?? {}).reduce((sum, size) => sum + size, 0)

test('every function has a bundle', () => {
  const declared = [...operationList, ...backgroundList].map(([name]) => name as string)
  expect(names.toSorted()).toEqual([...declared, catchAll.name].toSorted())
})

/** They hold the formats of all types, OTLP's serializers among them. */
const larger = ['integrations/test', 'integrations/send', 'integrations/create', 'integrations/update']

test('a start loads at most 400 KiB, also where Stripe is called, and 440 KiB where the formats of integrations are', () => {
  const limitOf = (name: string): number => (larger.includes(name) ? 440 : 400) * kib
  expect(names.filter((name) => sizeAtStart(name) > limitOf(name))).toEqual([])
})

test('public functions load no part of the AWS SDK: 160 KiB hold their schemas', () => {
  const small = ['meta/docs', 'meta/health', 'meta/openapi']
  expect(names.filter((name) => small.includes(name) && sizeAtStart(name) > 160 * kib)).toEqual([])
})

/** A page's scripts and other large files are the web distribution's to serve: a function pays for every byte it answers. */
test('no function carries more than 800 KiB beside the OpenAPI documents', () => {
  const sizeOf = (folder: string): number =>
    globSync('**', { cwd: folder, withFileTypes: true })
      .filter((entry) => entry.isFile() && !/openapi\.json$/.test(entry.name))
      .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0)
  expect(names.filter((name) => sizeOf(folderOf(name)) > 800 * kib)).toEqual([])
})

test('Stripe’s client is with the functions that call Stripe’s API, and loads with the first call', () => {
  const withClient = names.filter((name) => 'stripe' in (late[name] ?? {}))
  const callers = [...operationList, ...backgroundList]
    // The webhook's receiver has Stripe's secrets, and never calls.
    .filter(([name, { access }]) => access.stripe && name !== 'stripe-events/receive')
    .map(([name]) => name as string)
  expect(withClient.toSorted()).toEqual(callers.toSorted())
})

/** V8 keeps a source that holds one character outside of Latin-1 in twice the memory, and parses it more slowly. */
test('code is ASCII', () => {
  const texts = names.map((name) => [name, readFileSync(join(folderOf(name), 'index.mjs'), 'latin1')] as const)
  expect(texts.filter(([, text]) => /[^\0-\x7f]/.test(text)).map(([name]) => name)).toEqual([])
})

describe('from an empty folder outside of the repository', () => {
  const away = mkdtempSync(join(tmpdir(), 'octomil-bundles-'))
  afterAll(() => rmSync(away, { recursive: true, force: true }))

  /** What a fresh process prints that imports one file after the other, and runs as Lambda does: in the code's folder. */
  const importing = (cwd: string, files: readonly string[]): string => {
    const program = `
      for (const file of process.argv.slice(1)) {
        const exported = await import(file)
        console.log(typeof (exported.handler ?? exported.default ?? Object.values(exported)[0]))
      }`
    return execFileSync(process.execPath, ['--input-type=module', '--eval', program, ...files], {
      cwd,
      encoding: 'utf8',
      env: { AWS_REGION: 'us-east-1' },
    })
  }

  test.each(names)('%s is imported with all that it may load later', (name) => {
    const folder = join(away, name)
    cpSync(folderOf(name), folder, { recursive: true })
    const packages = Object.keys(late[name] ?? {})
    // A specifier is resolved from the folder, as the handler's own import() of it is.
    const printed = importing(folder, [join(folder, 'index.mjs'), ...packages])
    expect(printed).toBe('function\n'.repeat(1 + packages.length))
  })

  test('the OpenAPI document is read from beside its handler', () => {
    const folder = join(away, 'openapi')
    cpSync(folderOf('meta/openapi'), folder, { recursive: true })
    const program = `
      const { handler } = await import(process.argv[1])
      const { statusCode, body } = await handler({}, {})
      console.log('\\n' + statusCode, JSON.parse(body).openapi)`
    const said = execFileSync(process.execPath, ['--input-type=module', '--eval', program, join(folder, 'index.mjs')], {
      cwd: folder,
      encoding: 'utf8',
    })
    expect(said).toContain('\n200 3.1')
  })
})
