/** Services on one machine do not harm each other, and nothing of them stays behind. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, describe, expect, test } from 'vitest'
import { lockFolder } from '../../local/folder-lock.ts'
import { forward } from '../../local/forward.ts'

const folder = () => mkdtempSync(join(tmpdir(), 'lock-'))
const holder = (fields: object) => JSON.stringify({ pid: process.pid, port: 1, startedAtMs: 0, ...fields })

const releases: (() => void)[] = []
afterEach(() => {
  for (const release of releases.splice(0)) release()
})
const lock = async (path: string, port = 1) => releases.push(await lockFolder(path, port))

describe('a data folder', () => {
  test('that a running service holds is refused, naming its process and port', async () => {
    const path = folder()
    const server = createServer((_request, response) => response.end('{}')).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    writeFileSync(join(path, 'lock.json'), holder({ port }))
    await expect(lock(path)).rejects.toThrow(new RegExp(`process ${process.pid} on port ${port}`))
    server.close()
  })

  test('that a service is just taking is refused before it answers', async () => {
    const path = folder()
    await lock(path, 1)
    await expect(lock(path)).rejects.toThrow(/in use/)
  })

  test.each([
    ['of a process that is gone', holder({ pid: 2 ** 22 + 1 })],
    ['of another program that has its number', holder({})],
    ['that cannot be read', '{'],
  ])('with a lock %s is taken over', async (_what, content) => {
    const path = folder()
    writeFileSync(join(path, 'lock.json'), content)
    await lock(path, 7)
    expect(JSON.parse(readFileSync(join(path, 'lock.json'), 'utf8'))).toMatchObject({ pid: process.pid, port: 7 })
  })
})

test.each(['SIGKILL', 'SIGTERM'] as const)('the engine ends with its process, also by %s', async (signal) => {
  const engine = new URL('../../local/engine.ts', import.meta.url).href
  const script = `const { startEngine } = await import(${JSON.stringify(engine)})
console.log((await startEngine()).endpoint)
setInterval(() => {}, 1000)`
  const { DYNAMODB_ENDPOINT: _named, ...env } = process.env
  const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [said] = (await once(owner.stdout, 'data')) as [Buffer]
  const endpoint = said.toString().trim()
  expect(await answers(endpoint)).toBe(true)
  owner.kill(signal)
  await once(owner, 'exit')
  await expect.poll(() => answers(endpoint), { timeout: 5000 }).toBe(false)
})

test.each(['SIGINT', 'SIGTERM'] as const)(
  'npm run cost shows progress at once, and ends its engine by %s',
  async (signal) => {
    const { DYNAMODB_ENDPOINT: _named, ...env } = process.env
    const script = join(import.meta.dirname, '../../cost/run.ts')
    const cost = spawn(process.execPath, [script, '--check'], { env, stdio: ['ignore', 'ignore', 'pipe'] })
    const lines = createInterface({ input: cost.stderr })[Symbol.asyncIterator]()
    const next = async () => (await lines.next()).value as string
    expect(await next()).toMatch(/^cost: starting the engine/)
    const endpoint = (await next()).replace('cost: engine ', '')
    expect(await next()).toMatch(/^cost: 1 of \d+: /)
    expect(await answers(endpoint)).toBe(true)
    cost.kill(signal)
    await once(cost, 'exit')
    await expect.poll(() => answers(endpoint), { timeout: 5000 }).toBe(false)
  },
)

const answers = (endpoint: string): Promise<boolean> =>
  fetch(endpoint).then(
    () => true,
    () => false,
  )

const root = join(import.meta.dirname, '../..')
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
const { app } = JSON.parse(readFileSync(join(root, 'cdk.json'), 'utf8')) as { app: string }

test('every command that runs TypeScript checks the version of Node first, and so does the CDK app', () => {
  const commands = Object.entries({ ...scripts, 'cdk.json': app }).filter(([, line]) =>
    /\.ts\b|\b(cdk|vitest) /.test(line),
  )
  expect(commands.length).toBeGreaterThan(10)
  expect(
    commands.filter(([, line]) => !/^node (--import \.\/bin\/require-node\.mjs|bin\/require-node\.mjs &&) /.test(line)),
  ).toEqual([])
})

test('an older Node gets one line with the fix, and loads nothing', async () => {
  const older = `data:text/javascript,Object.defineProperty(process.versions,'node',{value:'22.18.0'})`
  const child = spawn(process.execPath, ['--import', older, 'bin/require-node.mjs'], { cwd: root, stdio: 'pipe' })
  const [said] = (await once(child.stderr, 'data')) as [Buffer]
  const [code] = (await once(child, 'close')) as [number]
  expect([code, said.toString()]).toEqual([
    1,
    expect.stringMatching(/^This is Node 22\.18\.0, .* npm rebuild node.*\n$/),
  ])
})

test('in a container, what arrives at its own address reaches the service on loopback, and a dead service harms nothing', async () => {
  const service = createServer((request, response) => response.end(request.url)).listen(0, '127.0.0.1')
  await once(service, 'listening')
  const forwarding = await forward('127.0.0.1', 0, (service.address() as AddressInfo).port)
  const url = `http://127.0.0.1:${(forwarding.address() as AddressInfo).port}/api`
  const ask = () => fetch(url, { headers: { connection: 'close' } })
  expect(await (await ask()).text()).toBe('/api')
  service.close()
  service.closeAllConnections()
  await expect(ask()).rejects.toThrow()
  expect(forwarding.listening).toBe(true)
  forwarding.close()
})
