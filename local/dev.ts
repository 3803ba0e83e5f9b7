/** `npm run dev`: the service on this machine, with two sample orgs. Ctrl-C stops all of it. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runMain, UsageError, wholeNumber } from '../bin/usage.ts'
import { defaultThrottles } from '../functions/throttles.ts'
import { prepareEnvironment } from './environment.ts'
import { lockFolder } from './folder-lock.ts'
import { readableLogs } from './request-log.ts'
import { mintTokens, type Service, seed, seedServiceKey, startService } from './service.ts'
import { type DevState, readDevState, writePrivateFile } from './state.ts'

const usage = `Usage: npm run dev -- [--port 3000] [--fresh] [--cors-origin https://dashboard.example.com]

  --port         the port to serve on (default 3000)
  --fresh        delete all data and start over
  --cors-origin  an origin that browsers may call from; repeatable`

const folder = join(import.meta.dirname, '..', '.local')
const stateFile = join(folder, 'dev.json')

const dataFiles = [
  'dev.json',
  'stripe.json',
  'queues.json',
  'dynamodb.sqlite',
  'dynamodb.sqlite-wal',
  'dynamodb.sqlite-shm',
]

const sweepEveryMs = 60 * 60 * 1000

/** Four times a development stage's limits: scripts of one developer stay below them. */
const throttle = defaultThrottles.protected

async function main(): Promise<void> {
  const options = readOptions()
  prepareEnvironment()
  readableLogs(process.stdout)
  writePrivateFile(join(folder, '.gitignore'), '*\n')
  const { port, corsOrigins } = options
  // Delete only after this process holds the port and the folder.
  const prepare = async (servedPort: number) => {
    await lockFolder(folder, servedPort)
    if (options.fresh) for (const name of dataFiles) rmSync(join(folder, name), { force: true })
  }
  const service = await startService({ port, folder, corsOrigins, sweepEveryMs, throttle, prepare }).catch(
    (error: unknown) => {
      throw isTaken(error) ? new TakenPort(port) : error
    },
  )
  endOnSignal(service)
  void service.engineEnded.then((said) => {
    console.error(`The DynamoDB engine stopped, and with it the service. Start it again: npm run dev\n${said}`)
    process.exit(1)
  })
  const state: DevState = { url: service.url, issuer: service.issuer.url, ...(await seedsToTry(service)) }
  writePrivateFile(stateFile, `${JSON.stringify(state, null, 2)}\n`)
  const [org] = state.orgs
  if (org) service.prefillReference(async () => (await mintTokens(service.issuer, org.org_id)).owner)
  // For a terminal; a pipe gets request lines only.
  console.error(welcome(state))
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '3000' },
      fresh: { type: 'boolean', default: false },
      'cors-origin': { type: 'string', multiple: true, default: [] },
    },
  })
  const port = wholeNumber('--port', values.port, 0, 65_535)
  for (const origin of values['cors-origin']) requireOrigin(origin)
  return { port, fresh: values.fresh, corsOrigins: values['cors-origin'] }
}

function requireOrigin(text: string): void {
  const { origin, protocol } = URL.canParse(text) ? new URL(text) : { origin: '', protocol: '' }
  if (origin === text && /^https?:$/.test(protocol)) return
  const meant = /^https?:$/.test(protocol) ? `; did you mean ${origin}?` : ''
  throw new UsageError(`--cors-origin must be an origin like https://dashboard.example.com, not ${text}${meant}`)
}

/** The orgs and the service key of the last run, if their data exists; otherwise new ones. */
async function seedsToTry(service: Service): Promise<Pick<DevState, 'orgs' | 'service_key'>> {
  const { findServiceKey } = await import('../shared/service-keys/rows.ts')
  const known = readDevState(stateFile)?.service_key
  const stored = known === undefined ? undefined : await findServiceKey(known)
  const usable = known !== undefined && stored?.revoked_at === null
  return { orgs: await orgsToTry(service), service_key: usable ? known : await seedServiceKey() }
}

/** The orgs of the last run with new tokens, if their data exists; otherwise new orgs. */
async function orgsToTry(service: Service): Promise<DevState['orgs']> {
  const { findOrg } = await import('../shared/orgs/record.ts')
  const known = readDevState(stateFile)?.orgs ?? []
  const found = await Promise.all(known.map(({ org_id }) => findOrg(org_id)))
  if (known.length === 0 || found.includes(undefined)) return seed(service)
  return Promise.all(known.map(async (org) => ({ ...org, tokens: await mintTokens(service.issuer, org.org_id) })))
}

function endOnSignal(service: Service): void {
  const end = () => {
    service.close().then(
      () => process.exit(0),
      () => process.exit(1),
    )
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, end)
  if (process.env.npm_lifecycle_event) endWithShell(end)
}

/** npm passes SIGTERM to its shell, which exits without forwarding it. A changed parent process shows that. */
function endWithShell(end: () => void): void {
  const shell = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === shell) return
    clearInterval(watch)
    end()
  }, 500)
  watch.unref()
}

function welcome({ url, issuer, orgs, service_key }: DevState): string {
  const lines = orgs.flatMap(({ name, org_id, api_keys, tokens }) => [
    `${name}  ${org_id}`,
    `  full_admin key  ${api_keys.full_admin}`,
    `  read_only key   ${api_keys.read_only}`,
    ...Object.entries(tokens).map(
      ([role, token]) => `  ${role.padEnd(6)} token    ${token.slice(0, 24)}… (whole in .local/dev.json)`,
    ),
    '',
  ])
  return `
Octomil settings API   ${url}
Reference              ${url}/api/v1/docs (signed in as the owner of ${orgs[0]?.name})
Local Stripe           ${url}/local/stripe
Local inbox            ${url}/local/inbox
OIDC issuer            ${issuer}
Service key            ${service_key}

${lines.join('\n')}
Try:
  curl -s ${url}/api/v2/settings/api-keys -H 'Authorization: Bearer ${orgs[0]?.api_keys.full_admin}'

Ctrl-C to stop; the data stays in .local/ (--fresh starts over).
`
}

const isTaken = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'EADDRINUSE'

class TakenPort extends Error {
  constructor(port: number) {
    const next = port < 65_535 ? port + 1 : 3000
    super(`Port ${port} is in use: stop its process, or use another port: npm run dev -- --port ${next}`)
  }
}

function explain({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'EACCES') return 'This port requires more rights; choose one above 1023: npm run dev -- --port 3000'
  return message
}

runMain(main, usage, explain)
