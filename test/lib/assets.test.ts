/** Effect of a change on the next deploy: a function's asset changes only with its bundled code. */
import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  cpSync,
  globSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileSystem } from 'aws-cdk-lib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { operationList } from '../../functions/operations.ts'

const root = join(import.meta.dirname, '..', '..')
const copy = mkdtempSync(join(tmpdir(), 'octomil-assets-'))
let before: Map<string, string>

beforeAll(() => {
  for (const part of [
    'functions',
    'shared',
    'lib',
    'docs/openapi.json',
    'docs/published/openapi.json',
    'package.json',
    'tsconfig.json',
  ])
    cpSync(join(root, part), join(copy, part), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  before = hashes()
})
afterAll(() => rmSync(copy, { recursive: true, force: true }))

/** Bundles the copy in a process of its own, under a umask if one is named. */
function bundleCopy(umask = process.umask()): void {
  const program = `process.umask(${umask}); import('./lib/bundle.ts').then(({ bundle }) => bundle())`
  execFileSync(process.execPath, ['--input-type=module', '--eval', program], { cwd: copy })
}

/** Bundles the copy, and hands back the hash that CDK gives to each function's asset. */
function hashes(): Map<string, string> {
  bundleCopy()
  return new Map(operationList.map(([name]) => [name, FileSystem.fingerprint(join(copy, 'build', name))]))
}

const changed = () => {
  const after = hashes()
  return [...before.keys()].filter((name) => after.get(name) !== before.get(name))
}

test('changing one handler changes one function’s asset only', () => {
  const handler = join(copy, 'functions/api-keys/rotate.ts')
  const text = readFileSync(handler, 'utf8')
  appendFileSync(handler, '\nconsole.info("changed")\n')
  expect(changed()).toEqual(['api-keys/rotate'])
  writeFileSync(handler, text)
  expect(changed()).toEqual([])
})

test('changing shared code changes the assets of all functions that bundle it', () => {
  appendFileSync(join(copy, 'shared/http/serve.ts'), '\nconsole.info("changed")\n')
  expect(changed().length).toBeGreaterThan(operationList.length / 2)
})

describe('Lambda’s user can read every file and enter every folder', () => {
  const build = join(copy, 'build')
  /** Files and folders by the modes that they have, the folder `build` itself among them. */
  const modes = () => {
    const entries = globSync('**', { cwd: build, withFileTypes: true })
    const paths = [build, ...entries.map((entry) => join(entry.parentPath, entry.name))]
    return Object.groupBy(paths, (path) => {
      const stats = statSync(path)
      return `${stats.isDirectory() ? 'folder' : 'file'} ${(stats.mode & 0o777).toString(8)}`
    })
  }

  test.each(['027', '077'])('after a build from nothing under umask %s', (umask) => {
    rmSync(build, { recursive: true })
    bundleCopy(Number.parseInt(umask, 8))
    expect(Object.keys(modes()).sort()).toEqual(['file 644', 'folder 755'])
  })

  test('after a build over files of the right content that had the wrong mode', () => {
    const [folder, file] = [join(build, 'api-keys/rotate'), join(build, 'api-keys/rotate/index.mjs')]
    chmodSync(file, 0o600)
    chmodSync(folder, 0o700)
    bundleCopy(0o077)
    expect(Object.keys(modes()).sort()).toEqual(['file 644', 'folder 755'])
  })
})
