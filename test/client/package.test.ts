/** The client as it is published: packed, put into a project apart from the repository, compiled against and run there. */
import { execFile } from 'node:child_process'
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openTarget, orgsOf } from '../http/target.ts'

const root = join(import.meta.dirname, '..', '..')
const client = join(root, 'client')
const project = mkdtempSync(join(tmpdir(), 'octomil-client-'))
const installed = join(project, 'node_modules', '@octomil', 'settings-client')
let packed: string[]

beforeAll(async () => {
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', project], { cwd: client })
  const [{ filename, files }] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }]
  packed = files.map(({ path }) => path).sort()
  mkdirSync(installed, { recursive: true })
  await run('tar', ['-xzf', join(project, filename), '-C', installed, '--strip-components=1'])
  const { dependencies } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
  for (const name of ['@types/node', ...Object.keys(dependencies)]) link(name)
})
afterAll(() => rmSync(project, { recursive: true }))

const run = promisify(execFile)

/** Has the project have a package, as an installation would. */
function link(name: string): void {
  const path = join(project, 'node_modules', name)
  mkdirSync(dirname(path), { recursive: true })
  symlinkSync(join(root, 'node_modules', name), path)
}

const written = (file: string, text: string): string => {
  writeFileSync(join(project, file), text)
  return join(project, file)
}

test('it contains the build of the current sources, its README and its licence', () => {
  const built = globSync('*.ts', { cwd: join(client, 'src') }).flatMap((source) =>
    ['.js', '.d.ts'].map((extension) => `build/${source.replace(/\.ts$/, extension)}`),
  )
  expect(packed).toEqual(['LICENSE', 'README.md', 'package.json', ...built].sort())
})

describe('the examples of its README compile', () => {
  // Names that the examples leave to the reader.
  const theReaders = `import type { AuditKey, InputFault } from '@octomil/settings-client'
declare const limits: { max_devices: { limit: number; mode: 'enforce' | 'alert_only' } }
declare function offerUpgrade(faults: readonly InputFault[]): void
declare const pages: AsyncIterable<string>
declare const keys: { keys: AuditKey[] }
declare const keptHead: { block: number; hash: string }
declare function queueForLater(cause: unknown): void
`
  const options =
    '--noEmit --strict --exactOptionalPropertyTypes --noUncheckedIndexedAccess --target es2022 --lib es2022 --types node'

  test.each([
    ['nodenext', 'nodenext'],
    ['bundler', 'esnext'],
  ])('where modules are resolved as by %s', async (moduleResolution, module) => {
    const readme = readFileSync(join(installed, 'README.md'), 'utf8')
    const examples = [...readme.matchAll(/^```ts\n(.*?)^```/gms)].map(([, example]) => example)
    expect(examples.length).toBeGreaterThan(2)
    written('package.json', '{ "type": "module" }')
    const file = written(`${moduleResolution}.ts`, [theReaders, ...examples].join('\n'))
    const resolution = ['--module', module, '--moduleResolution', moduleResolution]
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
    const compiled = run(process.execPath, [tsc, ...options.split(' '), ...resolution, file], { cwd: project })
    const complaints = await compiled.then(
      () => '',
      ({ stdout }: { stdout: string }) => stdout,
    )
    expect(complaints).toBe('')
  })
})

test('it runs with its declared dependencies alone', async () => {
  const target = await openTarget()
  const file = written(
    'main.mjs',
    `import { createSettingsClient, ProblemError } from '@octomil/settings-client'
const settings = createSettingsClient({ baseUrl: process.env.API_URL, credential: process.env.API_KEY })
const { data, etag } = await settings.GET('/api/v2/settings/policies')
await settings.PATCH('/api/v2/settings/policies', {
  params: { header: { 'If-Match': etag } },
  body: { privacy_mode: data.privacy_mode },
})
const unknown = { params: { path: { key_id: 'key_none' } } }
const problem = await settings.GET('/api/v2/settings/api-keys/{key_id}', unknown).catch((error) => error)
console.log(problem instanceof ProblemError, problem.code)`,
  )
  const env = { ...process.env, API_URL: target.url, API_KEY: orgsOf(target).acme.api_keys.full_admin }
  expect((await run(process.execPath, [file], { env })).stdout).toBe('true not_found\n')
})

test('its command verify-audit runs without any dependency', async () => {
  const { bin } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as { bin: Record<string, string> }
  const command = join(installed, bin['verify-audit'] ?? '')
  expect(readFileSync(command, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
  expect((await run(process.execPath, [command, '--help'])).stdout).toMatch(/^Usage: verify-audit /)
})
