/**
 * Bundles every handler in one esbuild pass, each into a folder with all that its Lambda needs. The same sources give the same
 * bytes, and unchanged files are not rewritten: concurrent runs do not disturb each other, and CDK sees real changes only.
 */
import { chmodSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import type { SourceMapPayload } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { type BuildOptions, buildSync, type Metafile } from 'esbuild'
import { backgroundList } from '../functions/background.ts'
import { deployedOperations } from '../functions/operations.ts'
import { lazy } from '../shared/lazy.ts'
import { webSite } from './web-site.ts'

const root = join(import.meta.dirname, '..')
const outFolder = join(root, 'build')

/**
 * Packages that only some requests need. Handlers load them by `import()`, from a separate file in the `node_modules` of the
 * function's folder. Inside the handler's file they would be parsed at every cold start.
 */
const latePackages: readonly string[] = ['stripe', '@aws-sdk/client-sesv2', 'jose/jwt/verify', 'jose/jwks/remote']

/** The OpenAPI documents grow with every example, so they are files beside their handler, read per request. */
const openApi = { '#openapi': 'docs/openapi.json', '#published-openapi': 'docs/published/openapi.json' } as const

/** Build options of handlers. The bench uses them for its baselines too. */
export const bundleSettings = {
  absWorkingDir: root,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  minify: true,
  // Prefer ES modules to CommonJS: esbuild removes their unused code.
  mainFields: ['module', 'main'],
  outExtension: { '.js': '.mjs' },
  legalComments: 'none',
  logLevel: 'warning',
  external: [...latePackages, ...Object.keys(openApi)],
  // Parts of the SDK that our Lambdas never reach. It loads the first two by `import()`. Without chunks, esbuild wraps everything
  // that such an import reaches in functions, which costs more than their bytes.
  alias: {
    '@aws-sdk/credential-provider-node': './shared/runtime/lambda-credentials.ts',
    '@smithy/core/event-streams': './shared/runtime/no-event-streams.ts',
    'node:fs': './shared/runtime/no-file-streams.ts',
    'node:fs/promises': './shared/runtime/files.ts',
    'node:process': './shared/runtime/process.ts',
    '@aws-sdk/middleware-endpoint-discovery': './shared/runtime/no-endpoint-discovery.ts',
    // Its SHA-256 in JavaScript serves a Node without crypto.
    '@smithy/core/checksum': './shared/runtime/sha256.ts',
  },
} satisfies BuildOptions

export interface Bundle {
  /** The folder of a function's code, by the name of its handler's file. */
  folderOf(name: string): string
  /** The size of each function's code: its `index.mjs`, and the packages that it may load later. */
  bytes: Record<string, number>
  /** The packages that each function may load later, with their sizes. */
  late: Record<string, Record<string, number>>
}

/** Bundles all handlers into `build/<name>/index.mjs`, once per process: sources do not change meanwhile. */
export const bundle = lazy(bundleAll)

function bundleAll(): Bundle {
  const names: readonly string[] = [...deployedOperations, ...backgroundList].map(([name]) => name)
  const { codeOf, lateOf } = build(names)
  const [files, bytes, late]: [Map<string, Uint8Array>, Bundle['bytes'], Bundle['late']] = [new Map(), {}, {}]
  for (const name of names) {
    const index = codeOf(`${name}/index`)
    const packages = lateOf(name).map((specifier) => [specifier, codeOf(`late/${specifier}`)] as const)
    files.set(join(name, 'index.mjs'), index)
    for (const [file, content] of nodeModules(packages)) files.set(join(name, 'node_modules', file), content)
    late[name] = Object.fromEntries(packages.map(([specifier, { byteLength }]) => [specifier, byteLength]))
    bytes[name] = index.byteLength + Object.values(late[name]).reduce((sum, size) => sum + size, 0)
  }
  for (const [file, content] of openApiFiles()) files.set(join('meta/openapi', file), content)
  for (const [file, content] of webSite().files) files.set(join('web', file), content)
  for (const [file, content] of files) place(join(outFolder, file), content)
  removeAllBut(new Set(files.keys()))
  return { folderOf: (name) => join(outFolder, name), bytes, late }
}

/** Returns the code of every handler and late package, and the late packages of each handler. */
function build(names: readonly string[]) {
  const { outputFiles, metafile } = buildSync({
    ...bundleSettings,
    entryPoints: {
      ...Object.fromEntries(names.map((name) => [`${name}/index`, `functions/${name}.ts`])),
      ...Object.fromEntries(latePackages.map((specifier) => [`late/${specifier}`, specifier])),
    },
    outdir: outFolder,
    write: false,
    metafile: true,
  })
  const code = new Map(outputFiles.map(({ path, contents }) => [relative(outFolder, path), contents]))
  return {
    codeOf: (entry: string) => code.get(`${entry}.mjs`) ?? new Uint8Array(),
    lateOf: (name: string) => lateImports(name, metafile),
  }
}

function lateImports(name: string, { outputs }: Metafile): string[] {
  const imports = outputs[join(relative(root, outFolder), name, 'index.mjs')]?.imports ?? []
  const late = imports.filter(({ path }) => latePackages.includes(path))
  for (const { path, kind } of late) {
    if (kind !== 'dynamic-import') throw new Error(`${name} loads ${path} at its start; it must load it by import()`)
  }
  return [...new Set(late.map(({ path }) => path))].sort()
}

/** The file that Node resolves a specifier to, from a function's folder. */
function placeOf(specifier: string) {
  const [, name = '', rest = ''] = /^((?:@[^/]+\/)?[^/]+)\/?(.*)$/.exec(specifier) ?? []
  const path = rest === '' ? [] : rest.split('/')
  return { name, subpath: ['.', ...path].join('/'), file: `${path.join('-') || 'index'}.mjs` }
}

/** Files of late packages in `node_modules`: one file for each, and a package.json that maps names to files. */
function nodeModules(packages: readonly (readonly [specifier: string, code: Uint8Array])[]): [string, Uint8Array][] {
  const parts = packages.map(([specifier, code]) => ({ ...placeOf(specifier), code }))
  const manifests = [...Map.groupBy(parts, ({ name }) => name)].map(([name, own]): [string, Uint8Array] => {
    const exports = Object.fromEntries(own.map(({ subpath, file }) => [subpath, `./${file}`]))
    return [join(name, 'package.json'), Buffer.from(JSON.stringify({ exports }))]
  })
  return [...parts.map(({ name, file, code }): [string, Uint8Array] => [join(name, file), code]), ...manifests]
}

/**
 * The source maps of a function, by the code files of its folder. They are made on demand: a commit's sources reproduce the
 * deployed bytes, so deploys and assets need no maps.
 */
export function sourceMapsOf(name: string): Map<string, SourceMapPayload> {
  const late = latePackages.map((specifier) => {
    const place = placeOf(specifier)
    return [join('node_modules', place.name, place.file.replace(/\.mjs$/, '')), specifier]
  })
  const { outputFiles } = buildSync({
    ...bundleSettings,
    entryPoints: { index: `functions/${name}.ts`, ...Object.fromEntries(late) },
    outdir: outFolder,
    write: false,
    sourcemap: 'external',
    sourcesContent: false,
  })
  return new Map(
    outputFiles
      .filter(({ path }) => path.endsWith('.map'))
      .map(({ path, text }) => [relative(outFolder, path).replace(/\.map$/, ''), JSON.parse(text)]),
  )
}

function openApiFiles(): [string, Uint8Array][] {
  const files = Object.entries(openApi).map(([specifier, file]) => ({
    specifier,
    name: `${specifier.slice(1)}.json`,
    file,
  }))
  const imports = Object.fromEntries(files.map(({ specifier, name }) => [specifier, `./${name}`]))
  const compact = (value: unknown) => Buffer.from(JSON.stringify(value))
  return [
    ...files.map(({ name, file }): [string, Uint8Array] => [
      name,
      compact(JSON.parse(readFileSync(join(root, file), 'utf8'))),
    ]),
    ['package.json', compact({ imports })],
  ]
}

/**
 * Lambda runs code as another user, and an asset keeps its file modes. A file that a strict umask hides from that user fails every
 * start with EACCES (https://github.com/aws/aws-cdk/issues/8233).
 */
const fileMode = 0o644
const folderMode = 0o755

/** Writes a file unless it is unchanged. Readers never see a partial file. */
function place(file: string, content: Uint8Array): void {
  placeFolder(dirname(file))
  if (holds(file, content)) {
    setMode(file, fileMode)
    return
  }
  const unfinished = join(outFolder, `.${process.pid}.unfinished`)
  writeFileSync(unfinished, content)
  setMode(unfinished, fileMode)
  renameSync(unfinished, file)
}

const holds = (file: string, content: Uint8Array): boolean =>
  statSync(file, { throwIfNoEntry: false })?.size === content.byteLength && readFileSync(file).equals(content)

function placeFolder(folder: string): void {
  if (folder === root) return
  placeFolder(dirname(folder))
  mkdirSync(folder, { recursive: true })
  setMode(folder, folderMode)
}

/** An explicit chmod: the umask removes bits from the modes of `mkdir` and `writeFile`. */
function setMode(path: string, mode: number): void {
  if ((statSync(path).mode & 0o777) !== mode) chmodSync(path, mode)
}

function removeAllBut(expected: ReadonlySet<string>): void {
  for (const entry of globSync('**', { cwd: outFolder, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name)
    if (entry.isFile() && !expected.has(relative(outFolder, file))) rmSync(file, { force: true })
  }
}
