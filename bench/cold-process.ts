/**
 * Starts a function as Lambda does: a fresh process imports the bundle and, optionally, answers one request. It runs in an
 * empty folder outside the repository, so a bundle that needs another file fails here.
 */
import { execFile } from 'node:child_process'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { buildSync } from 'esbuild'
import { bundle, bundleSettings } from '../lib/bundle.ts'

export interface Code {
  name: string
  file: string
  /** Bytes that the import loads. */
  startBytes: number
  /** Bytes of packages that a request may load later. */
  lateBytes: number
}

/** The bundle of every function, copied into a folder. */
export function copyHandlers(folder: string): Code[] {
  const { bytes, late, folderOf } = bundle()
  return Object.entries(bytes).map(([name, size]) => {
    cpSync(folderOf(name), join(folder, name), { recursive: true })
    const lateBytes = Object.values(late[name] ?? {}).reduce((sum, each) => sum + each, 0)
    return { name, file: join(folder, name, 'index.mjs'), startBytes: size - lateBytes, lateBytes }
  })
}

/** Bundles a handler of the bench with the settings of the service's bundles, except `settings`. */
export function bundleEntry(
  folder: string,
  name: string,
  entry: string,
  settings: { alias?: Record<string, string> } = {},
): Code {
  const file = join(folder, `${name.replaceAll(/\W+/g, '-')}.mjs`)
  const { metafile } = buildSync({
    ...bundleSettings,
    ...settings,
    entryPoints: [`bench/${entry}`],
    outExtension: {},
    outfile: file,
    metafile: true,
  })
  return { name, file, startBytes: Object.values(metafile.outputs)[0]?.bytes ?? 0, lateBytes: 0 }
}

/**
 * Times of one process: wall-clock time, and CPU time of the thread that imports and answers. On an idle machine both are
 * the same.
 */
export interface ColdStart {
  importMs: number
  importCpuMs: number
  /** From before the import until the answer; without a request, the same as the import. */
  answeredMs: number
  answeredCpuMs: number
  status: number | undefined
  processMs: number
}

const program = `
const [file, event] = process.argv.slice(1)
const start = performance.now()
const cpu = process.threadCpuUsage()
const taken = () => [performance.now() - start, (({ user, system }) => (user + system) / 1000)(process.threadCpuUsage(cpu))]
const { handler } = await import(file)
const imported = taken()
if (typeof handler !== 'function') throw new TypeError(file + ' has no handler')
const answer = event && await handler(JSON.parse(event), {})
process.stdout.write('\\n' + JSON.stringify([...imported, ...(answer ? taken() : imported), answer?.statusCode]))
process.exit()`

const run = promisify(execFile)

/** Runs one process, which calls the handler with `event` if there is one. */
export async function coldStart(
  { file }: Code,
  cwd: string,
  env: NodeJS.ProcessEnv,
  event?: object,
): Promise<ColdStart> {
  const start = performance.now()
  const given = event ? [file, JSON.stringify(event)] : [file]
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program, ...given], { cwd, env })
  const processMs = performance.now() - start
  // The function's log lines come before the result.
  const [importMs, importCpuMs, answeredMs, answeredCpuMs, status] = JSON.parse(stdout.slice(stdout.lastIndexOf('\n')))
  return { importMs, importCpuMs, answeredMs, answeredCpuMs, status, processMs }
}
