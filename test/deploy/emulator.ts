/** The AWS emulator: installed into `.local/` from pinned packages, on a free loopback port, with IAM enforced. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { freePort } from '../../local/engine.ts'
import { installPython, localFolder } from '../python.ts'

const requirements = join(import.meta.dirname, 'requirements.txt')
const readyTimeoutMs = 30_000

export interface Emulator {
  endpoint: string
  port: number
  /** For child processes that are to talk to it as its root user. */
  environment: Record<string, string>
  stop(): Promise<void>
}

export async function startEmulator(): Promise<Emulator> {
  const binary = join(installPython('emulator', requirements), 'ministack')
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
