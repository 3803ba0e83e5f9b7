/** A stack trace of minified code names the lines of the sources that threw. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { bundle } from '../../lib/bundle.ts'

const root = join(import.meta.dirname, '..', '..')
const environmentFile = 'shared/runtime/environment.ts'

/** What the deployed code of the sweep logs where it lacks its variables, with the paths that it has in Lambda. */
function logOfSweep(): string {
  const folder = bundle().folderOf('stripe-events/sweep')
  const program = `
    const { handler } = await import(process.argv[1])
    await handler({}, {}).catch(() => {})`
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', program, join(folder, 'index.mjs')],
    { encoding: 'utf8', env: { AWS_REGION: 'us-east-1' } },
  )
  return (stdout + stderr).replaceAll(folder, '/var/task')
}

const stackTrace = (name: string, input: string) =>
  spawnSync(process.execPath, ['bin/stack-trace.ts', '--function', name], { cwd: root, encoding: 'utf8', input })

test('a log line of a deployed function is printed with files and lines of the sources', () => {
  const log = logOfSweep()
  expect(log).toContain('/var/task/index.mjs:')
  const lines = readFileSync(join(root, environmentFile), 'utf8').split('\n')
  const throwing = 1 + lines.findIndex((line) => line.includes('throw new Error(`environment variable'))
  for (const name of ['stripe-events/sweep', 'stripe-events.sweep']) {
    const { stdout, stderr, status } = stackTrace(name, log)
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(new RegExp(`\\n\\s+at .*${environmentFile}:${throwing}:\\d+`))
    expect(stdout).toMatch(/\n\s+at .*shared\/runtime\/background\.ts:\d+:\d+/)
    expect(stdout).not.toMatch(/\/var\/task\/[\w.]+:\d+:\d+/)
  }
})

test('text that is no position in the function’s code stays the same', () => {
  const log = 'at /var/task/other.mjs:1:5 and /var/runtime/index.mjs:12:7\n'
  expect(stackTrace('api-keys/create', log).stdout).toBe(log)
})

test('an unknown function is refused with the usage', () => {
  const { status, stderr } = stackTrace('api-keys', '')
  expect([status, stderr]).toEqual([1, expect.stringMatching(/^--function must be .*not api-keys\.\n\nUsage:/)])
})

test('no deployed file contains or names a source map', () => {
  const { bytes, folderOf } = bundle()
  const naming = Object.keys(bytes).filter((name) =>
    readFileSync(join(folderOf(name), 'index.mjs'), 'latin1').includes('sourceMappingURL'),
  )
  expect(naming).toEqual([])
})
