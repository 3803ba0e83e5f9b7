/**
 * CONTRIBUTING's walk of adding an operation, applied to a copy of the repository. Each code block names its file: a new file is
 * created, and an existing one gets the block where the walk says.
 */
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'

const root = join(import.meta.dirname, '..', '..')
const copy = mkdtempSync(join(tmpdir(), 'octomil-walk-'))
const notCopied = /^(?:\.git|\.local|cdk\.out|coverage|(?:client\/)?(?:node_modules|build))$/

beforeAll(() => {
  cpSync(root, copy, { recursive: true, filter: (path) => !notCopied.test(relative(root, path)) })
  for (const folder of ['node_modules', 'client/node_modules']) symlinkSync(join(root, folder), join(copy, folder))
})
afterAll(() => rmSync(copy, { recursive: true, force: true }))

const walk =
  readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8')
    .split(/^## /m)
    .find((part) => part.startsWith('Add an operation\n')) ?? ''
const blocks = [...walk.matchAll(/^```(ts|json|sh) ?(\S*)\n([\s\S]*?)^```$/gm)].map(
  ([, language = '', file = '', text = '']) => ({ language, file, text }),
)

/** The line of a file after which its block goes. A file that is not here gets the block at its end. */
const insertAfter: Readonly<Record<string, RegExp>> = {
  'functions/operations.ts': /^export const operations = \{\n/m,
  'docs/examples.json': /^\{\n/,
  'test/support/happy-paths.ts': /^export const happyPaths\b.*\{\n/m,
  'test/http/governance.test.ts': /\n(?=afterAll\()/,
}

function apply({ file, text }: { file: string; text: string }): void {
  const path = join(copy, file)
  const source = existsSync(path) ? readFileSync(path, 'utf8') : ''
  const place = insertAfter[file]
  if (place) expect(source, `${file} has no place for its block`).toMatch(place)
  writeFileSync(path, place ? source.replace(place, (line) => line + text) : `${source}\n${text}`)
}

/** The environment of a newcomer's shell: without the variables of this test run. */
const environment = {
  PATH: [join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter),
  HOME: process.env.HOME,
  CI: 'true',
}

test('the walk of CONTRIBUTING adds an operation that the tests accept', { timeout: 600_000 }, async () => {
  expect(blocks.map(({ file }) => file).filter((file) => file !== '')).toHaveLength(6)
  for (const block of blocks.filter(({ file }) => file !== '')) apply(block)
  for (const { text } of blocks.filter(({ language }) => language === 'sh')) {
    const run = promisify(execFile)('bash', ['-euc', text], { cwd: copy, env: environment, maxBuffer: 1e8 })
    await run.catch(({ stdout, stderr }) => expect.fail(`${stdout}${stderr}`.slice(-4000)))
  }
  expect(readFileSync(join(copy, 'docs', 'operations.md'), 'utf8')).toContain('`GET /api/v2/settings/greeting`')
  expect(readFileSync(join(copy, 'client', 'src', 'schema.ts'), 'utf8')).toContain('/api/v2/settings/greeting')
})
