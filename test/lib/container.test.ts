/** The container files agree with the repository. They are read, not built: that needs Docker. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '..', '..')
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const packageJson = JSON.parse(read('package.json')) as {
  devDependencies: Record<string, string>
  optionalDependencies: Record<string, string>
  workspaces: string[]
}
const devcontainer = JSON.parse(read('.devcontainer/devcontainer.json')) as {
  build: { dockerfile: string; context: string; target: string }
  runArgs: string[]
  remoteUser: string
  forwardPorts: number[]
}
const lines = read('Dockerfile')
  .split('\n')
  .map((line) => line.trim())
  .filter((line) => line !== '' && !line.startsWith('#'))
const instructions = lines.map((line) => line.split(' ')[0])
const argumentsOf = (instruction: string): string[] =>
  lines.filter((line) => line.startsWith(`${instruction} `)).map((line) => line.slice(instruction.length + 1))
const [, port] = /port: \{ type: 'string', default: '(\d+)' \}/.exec(read('local/dev.ts')) ?? []

describe('the image', () => {
  test('has the Node that package.json pins, on the platform that the DynamoDB engine is built for', () => {
    const [base = ''] = argumentsOf('FROM')
    expect(base).toBe(`--platform=linux/amd64 node:${packageJson.devDependencies.node}-bookworm AS tools`)
    expect(Object.keys(packageJson.optionalDependencies)).toEqual(['@dynoxide/linux-x64'])
  })

  test('installs packages and runs as a user without rights', () => {
    expect(argumentsOf('USER')).toEqual(['node'])
    expect(instructions.indexOf('USER')).toBeLessThan(lines.indexOf('RUN npm ci'))
    expect(argumentsOf('COPY').filter((what) => !what.startsWith('--chown=node:node '))).toEqual([])
  })

  test('copies files that exist, with the manifest of each workspace before the install', () => {
    const beforeInstall = lines.slice(0, lines.indexOf('RUN npm ci')).filter((line) => line.startsWith('COPY'))
    const files = beforeInstall.flatMap((line) => line.split(' ').slice(2, -1))
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([])
    const manifests = ['.', ...packageJson.workspaces].map((folder) => join(folder, 'package.json'))
    expect(files).toEqual(expect.arrayContaining([...manifests, 'package-lock.json']))
  })

  test('copies no packages, data or keys from the host', () => {
    expect(read('.dockerignore').split('\n')).toEqual(expect.arrayContaining(['**/node_modules', '.local', '.git']))
  })

  test('serves the port of npm run dev, from a file that exists', () => {
    expect(port).toBeDefined()
    expect(argumentsOf('EXPOSE')).toEqual([port])
    const [, file = ''] = JSON.parse(argumentsOf('CMD')[0] ?? '[]') as string[]
    expect(read(file)).toContain(`const port = ${port}\n`)
  })
})

test('the devcontainer is the same image without the sources, and forwards the same port', () => {
  const { build, remoteUser, forwardPorts, runArgs } = devcontainer
  expect(existsSync(join(root, '.devcontainer', build.dockerfile))).toBe(true)
  expect(argumentsOf('FROM')[0]).toMatch(new RegExp(` AS ${build.target}$`))
  expect([remoteUser, forwardPorts, runArgs]).toEqual(['node', [Number(port)], ['--platform=linux/amd64']])
})

test('README has the command that runs it, published on loopback only', () => {
  expect(read('README.md')).toContain(`docker run --rm -it -p 127.0.0.1:${port}:${port} octomil`)
})
