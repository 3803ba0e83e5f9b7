/** House rules beyond the compiler: allowed imports, and one handler per contract. */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'
import { backgroundList } from '../../functions/background.ts'
import { catchAll, operationList, routeList } from '../../functions/operations.ts'
import { routeKeyOf } from '../../shared/http/operation.ts'

const root = join(import.meta.dirname, '..', '..')
const sources = globSync('{bin,lib,functions,shared,local,local-stripe/src,docs,cost,client/src}/**/*.ts', {
  cwd: root,
})

/** The files of the repository that each source imports, types apart. */
const imports = new Map(
  sources.map((file) => {
    const text = readFileSync(join(root, file), 'utf8')
    const specifiers = [
      ...text.matchAll(/^(?:import|export)\s+(?!type\b)[^'"]*?['"]([^'"]+)['"]|import\(['"]([^'"]+)['"]\)/gm),
    ]
    return [file, specifiers.map(([, first, second]) => first ?? second ?? '')] as const
  }),
)
const localImports = (file: string): string[] =>
  (imports.get(file) ?? []).filter((name) => name.startsWith('.')).map((name) => normalize(join(dirname(file), name)))

/** The files that these load, through any chain of imports, themselves among them. */
function reachableFrom(files: readonly string[]): string[] {
  const reachable = new Set<string>()
  const visit = (file: string) => {
    if (reachable.has(file)) return
    reachable.add(file)
    for (const next of localImports(file)) visit(next)
  }
  files.forEach(visit)
  return [...reachable]
}

const offenders = (from: RegExp, to: RegExp): string[] =>
  sources
    .filter((file) => from.test(file))
    .flatMap((file) =>
      [...(imports.get(file) ?? []).filter((name) => !name.startsWith('.')), ...localImports(file)]
        .filter((target) => to.test(target))
        .map((target) => `${file} -> ${target}`),
    )

describe('imports', () => {
  test('runtime code never imports the CDK, the local service or tests', () => {
    const others = /^(aws-cdk-lib|constructs|@octomil\/local-stripe|(lib|bin|local|local-stripe|cost|test)\/)/
    expect(offenders(/^(functions|shared)\//, others)).toEqual([])
  })

  test('infrastructure code imports contracts, never handlers', () => {
    expect(offenders(/^(lib|bin)\//, /^functions\/(?!(operations|background|throttles)\.ts|.*\/contract\.ts)/)).toEqual(
      [],
    )
  })

  test('nothing imports the local service, the local Stripe, the cost model or tests', () => {
    const others = /^(@octomil\/local-stripe|(local|local-stripe|cost|test)\/)/
    expect(offenders(/^(bin|lib|functions|shared|docs)\//, others)).toEqual([])
  })

  test('the client and the local Stripe, separate packages, import nothing of the service', () => {
    const service = /^(bin|lib|functions|shared|local|docs|bench|cost|test)\//
    expect(offenders(/^client\//, service)).toEqual([])
    expect(offenders(/^local-stripe\//, service)).toEqual([])
  })

  test('contracts import no AWS client', () => {
    const reached = reachableFrom(['functions/operations.ts', 'functions/background.ts']).filter((file) =>
      (imports.get(file) ?? []).some((name) => name.startsWith('@aws-sdk/')),
    )
    expect(reached).toEqual([])
  })

  test('commands do not load the CDK, which is slower than most of them', () => {
    const commands = sources.filter((file) => /^bin\//.test(file) && file !== 'bin/settings-api.ts')
    const loading = reachableFrom(commands).filter((file) =>
      (imports.get(file) ?? []).some((name) => /^aws-cdk-lib/.test(name)),
    )
    expect(loading).toEqual([])
  })

  test('there are no cycles', () => {
    const state = new Map<string, 'open' | 'done'>()
    const cycles: string[] = []
    const visit = (file: string, path: string[]) => {
      if (state.get(file) === 'done' || !imports.has(file)) return
      if (state.get(file) === 'open') {
        cycles.push([...path.slice(path.indexOf(file)), file].join(' -> '))
        return
      }
      state.set(file, 'open')
      for (const next of localImports(file)) visit(next, [...path, file])
      state.set(file, 'done')
    }
    for (const file of sources) visit(file, [])
    expect(cycles).toEqual([])
  })
})

describe('operations and background functions', () => {
  const named = [...operationList, ...backgroundList].map(([name]) => name as string).concat(catchAll.name)

  test('every contract has its handler, and every handler its contract', () => {
    const handlers = globSync('functions/*/*.ts', { cwd: root }).filter((file) =>
      /export const handler\b/.test(readFileSync(join(root, file), 'utf8')),
    )
    expect(handlers.map((file) => file.replace(/^functions\/(.*)\.ts$/, '$1')).sort()).toEqual([...named].sort())
    for (const name of named) expect(existsSync(join(root, 'functions', `${name}.ts`)), name).toBe(true)
  })

  test('ids and routes are unique', () => {
    const ids = [...operationList, ...backgroundList].map(([, { id }]) => id)
    const routes = routeList.map(({ route }) => routeKeyOf(route).replaceAll(/\{\w+\}/g, '{}'))
    expect(new Set(ids).size).toBe(ids.length)
    expect(new Set(routes).size).toBe(routes.length)
  })

  test('every mutation declares its audit event', () => {
    const silent = operationList
      .filter(([, { method, audit, withoutEvent }]) => method !== 'GET' && !audit && !withoutEvent)
      .map(([, { id }]) => id)
    expect(silent).toEqual([])
  })

  test('handlers are short, and contain no environment, AWS client or parsing', () => {
    for (const name of named) {
      const text = readFileSync(join(root, 'functions', `${name}.ts`), 'utf8')
      expect(text.split('\n').length, name).toBeLessThanOrEqual(30)
      expect(text, name).not.toMatch(/process\.env|@aws-sdk|JSON\.parse/)
    }
  })
})

test('each package with an install script is allowed or denied in package.json', () => {
  const read = (file: string) => JSON.parse(readFileSync(join(root, file), 'utf8'))
  const packages: Record<string, { hasInstallScript?: boolean }> = read('package-lock.json').packages
  const scripted = Object.entries(packages).filter(([, { hasInstallScript }]) => hasInstallScript)
  const names = new Set(scripted.map(([path]) => path.replace(/^.*node_modules\//, '')))
  expect(Object.keys(read('package.json').allowScripts).sort()).toEqual([...names].sort())
})

/** npm 11 omits a peer dependency that npm 10 (Node 18 to 22) requires: npm 10 then refuses the lock file. Its last version is in git. */
test('the lock file works with npm 10 and npm 11', () => {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  expect(Object.keys(packages)).toContain('node_modules/@scalar/use-hooks/node_modules/typescript')
})
