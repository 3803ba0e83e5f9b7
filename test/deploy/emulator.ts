/** The AWS emulator: installed into `.local/` from pinned packages, on a free loopback port, with IAM enforced. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { freePort } from '../../local/engine.ts'

export const localFolder = join(import.meta.dirname, '..', '..', '.local')
const venv = join(localFolder, 'emulator')
const requirements = join(import.meta.dirname, 'requirements.txt')
const readyTimeoutMs = 30_000

export interface Emulator {
  endpoint: string
  port: number
  /** For child processes that are to talk to it as its root user. */
  environment: Record<string, string>
  stop(): Promise<void>
}

/** Installs the emulator where it is not, or not in this version. */
function install(): string {
  const binary = join(venv, 'bin', 'ministack')
  const mark = join(venv, 'installed')
  const wanted = readFileSync(requirements, 'utf8')
  if (existsSync(mark) && readFileSync(mark, 'utf8') === wanted) return binary
  console.log('installing the emulator into .local/emulator …')
  mkdirSync(localFolder, { recursive: true })
  execFileSync(findPython(), ['-m', 'venv', '--clear', venv], { stdio: 'inherit' })
  execFileSync(join(venv, 'bin', 'pip'), ['install', '--quiet', '--disable-pip-version-check', '-r', requirements], {
    stdio: 'inherit',
  })
  writeFileSync(mark, wanted)
  return binary
}

/** A Python that is new enough for the emulator. */
function findPython(): string {
  const isNewEnough = 'import sys; sys.exit(sys.version_info < (3, 10))'
  for (const python of ['python3', 'python']) {
    try {
      execFileSync(python, ['-c', isNewEnough], { stdio: 'ignore' })
      return python
    } catch {
      // The next name.
    }
  }
  throw new Error(
    'The deploy test needs Python 3.10 or newer beside Node, as python3 on the PATH; only this test does.',
  )
}

export async function startEmulator(): Promise<Emulator> {
  const binary = install()
  const port = await freePort()
  const endpoint = `http://127.0.0.1:${port}`
  const child = spawn(binary, [], {
    // Functions run in workers of the node that is first on the PATH: this one.
    env: {
      ...process.env,
      PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}`,
      AUTH: 'true',
      BIND_HOST: '127.0.0.1',
      GATEWAY_PORT: String(port),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const log = createWriteStream(join(localFolder, 'emulator.log'))
  child.stdout.pipe(log)
  child.stderr.pipe(log)
  await untilHealthy(endpoint, child)
  return { endpoint, port, environment: rootEnvironment(endpoint), stop: () => stop(child) }
}

interface ClientSettings {
  endpoint: string
  region: string
  credentials: { accessKeyId: string; secretAccessKey: string }
}

/** A client of the SDK that calls the emulator as its root user. */
export function clientOf<Client>(
  Constructor: new (settings: ClientSettings) => Client,
  { endpoint, environment }: Pick<Emulator, 'endpoint' | 'environment'>,
): Client {
  const {
    AWS_ACCESS_KEY_ID: accessKeyId = '',
    AWS_SECRET_ACCESS_KEY: secretAccessKey = '',
    AWS_REGION: region = '',
  } = environment
  return new Constructor({ endpoint, region, credentials: { accessKeyId, secretAccessKey } })
}

async function untilHealthy(endpoint: string, child: ChildProcess): Promise<void> {
  const giveUp = Date.now() + readyTimeoutMs
  while (Date.now() < giveUp && child.exitCode === null) {
    const healthy = await fetch(`${endpoint}/_ministack/health`).then(
      (response) => response.ok,
      () => false,
    )
    if (healthy) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  await stop(child)
  throw new Error('the emulator did not start; .local/emulator.log has its output')
}

/** `127.0.0.1` and not `localhost`: only then does the S3 client address buckets by path. */
const rootEnvironment = (endpoint: string): Record<string, string> => ({
  AWS_ENDPOINT_URL: endpoint,
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
  AWS_REGION: 'us-east-1',
  AWS_DEFAULT_REGION: 'us-east-1',
  // No profile of the machine's user may take part.
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_EC2_METADATA_DISABLED: 'true',
})

/** Ends the emulator and the workers of its process group. */
async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    const force = setTimeout(() => child.kill('SIGKILL'), 5000)
    await ended
    clearTimeout(force)
  }
  try {
    if (child.pid) process.kill(-child.pid, 'SIGKILL')
  } catch {
    // Nothing of the group is left.
  }
}
