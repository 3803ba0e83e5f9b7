/**
 * A function as Lambda starts it: a fresh process that imports the bundle and, if asked to, answers one request. It runs
 * in an empty folder outside of the repository, so that a bundle that needs anything beside itself fails here.
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
  /** Of what the import loads. */
  startBytes: number
  /** Of the packages that a request may load. */
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

/** A handler of the bench, bundled as those of the service are but for `settings`. */
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
 * What one process took: by the clock, and of the processor by the thread that imports and answers, which is what the clock
 * shows where nothing else runs.
 */
export interface ColdStart {
  importMs: number
  importCpuMs: number
  /** From before the import until the request is answered; without a request, as the import. */
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

/** Runs one process; `event` is handed to the handler once it is there. */
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
  // What the function logs is before it.
  const [importMs, importCpuMs, answeredMs, answeredCpuMs, status] = JSON.parse(stdout.slice(stdout.lastIndexOf('\n')))
  return { importMs, importCpuMs, answeredMs, answeredCpuMs, status, processMs }
}
