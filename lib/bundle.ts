/**
 * The one esbuild pass that bundles every handler, each into a folder of its own that is all its Lambda needs. The same
 * sources make the same bytes, and what has not changed is not written again: runs side by side do not disturb each
 * other, and CDK sees a change only where there is one.
 */
import { globSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { type BuildOptions, buildSync } from 'esbuild'
import { backgroundList } from '../functions/background.ts'
import { catchAll, operationList } from '../functions/operations.ts'
import { lazy } from '../shared/lazy.ts'

const root = join(import.meta.dirname, '..')
const outFolder = join(root, 'build')

/** How handlers are bundled. The bench bundles what it compares them with in the same way. */
export const bundleSettings = {
  absWorkingDir: root,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  minify: true,
  // ES modules before CommonJS: only what is used is taken of them.
  mainFields: ['module', 'main'],
  outExtension: { '.js': '.mjs' },
  legalComments: 'none',
  logLevel: 'warning',
  // Parts of the SDK that no Lambda of ours can reach. Both are loaded by `import()`, and without chunks esbuild wraps
  // everything that such an import reaches in functions, which costs more than their bytes. Together: 151 KiB of 519,
  // and 84 ms of cold import become 55.
  alias: {
    '@aws-sdk/credential-provider-node': './shared/runtime/lambda-credentials.ts',
    '@smithy/core/event-streams': './shared/runtime/no-event-streams.ts',
  },
} satisfies BuildOptions

/** The script of the docs page is read at run time, as the package that it is. */
const docsPackage = 'node_modules/@scalar/api-reference'
const docsFiles = ['package.json', 'dist/browser/standalone.js']

export interface Bundle {
  /** The folder of a function's code, by the name of its handler's file. */
  folderOf(name: string): string
  /** The size of each function's `index.mjs`. */
  bytes: Record<string, number>
}

/** Bundles all handlers into `build/<name>/index.mjs`, once a process: sources do not change under it. */
export const bundle = lazy(bundleAll)

function bundleAll(): Bundle {
  const names: readonly string[] = [...[...operationList, ...backgroundList].map(([name]) => name), catchAll.name]
  const { outputFiles } = buildSync({
    ...bundleSettings,
    entryPoints: Object.fromEntries(names.map((name) => [`${name}/index`, `functions/${name}.ts`])),
    outdir: outFolder,
    write: false,
  })
  const files = new Map(outputFiles.map(({ path, contents }) => [relative(outFolder, path), contents]))
  const bytes = Object.fromEntries([...files].map(([file, { byteLength }]) => [dirname(file), byteLength]))
  for (const file of docsFiles)
    files.set(join('meta/docs', docsPackage, file), readFileSync(join(root, docsPackage, file)))
  for (const [file, content] of files) place(join(outFolder, file), content)
  removeAllBut(new Set(files.keys()))
  return { folderOf: (name) => join(outFolder, name), bytes }
}

/** Writes a file unless it is there already, and never lets anyone see half of it. */
function place(file: string, content: Uint8Array): void {
  if (statSync(file, { throwIfNoEntry: false })?.size === content.byteLength && readFileSync(file).equals(content))
    return
  mkdirSync(dirname(file), { recursive: true })
  const unfinished = join(outFolder, `.${process.pid}.unfinished`)
  writeFileSync(unfinished, content)
  renameSync(unfinished, file)
}

function removeAllBut(expected: ReadonlySet<string>): void {
  for (const entry of globSync('**', { cwd: outFolder, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name)
    if (entry.isFile() && !expected.has(relative(outFolder, file))) rmSync(file, { force: true })
  }
}
