/** The commands tell people what to do in a sentence, whatever is missing or misspelled: never a stack trace. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { devNull } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')

interface Ended {
  code: number
  stdout: string
  stderr: string
}

/** Runs a command as somebody who has set up nothing. */
const run = (file: string, args: readonly string[] = []): Promise<Ended> =>
  new Promise((resolve) => {
    const env = { PATH: process.env.PATH, AWS_CONFIG_FILE: devNull, AWS_SHARED_CREDENTIALS_FILE: devNull }
    execFile(process.execPath, [join(root, file), ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    )
  })

test('without a region, what works on a deployed stage says which variable to set', async () => {
  expect(await run('bin/redrive.ts')).toEqual({
    code: 1,
    stdout: '',
    stderr: 'Set AWS_REGION to the region of the stage, e.g. AWS_REGION=us-east-1.\n',
  })
})

test.each(['', ' ', '\u3164', 'Ac\u202eme', 'a\nb', 'x'.repeat(101)])(
  'an organization is not made under the name %j',
  async (org) => {
    const { code, stderr } = await run('bin/bootstrap.ts', [
      '--stage',
      'dev',
      '--owner',
      'you@example.com',
      '--org',
      org,
    ])
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^--org must be a name of 1 to 100 characters/)])
  },
)

describe.each(['local/dev.ts', 'local/token.ts'])('%s', (file) => {
  test('--help prints the usage and is no failure', async () => {
    expect(await run(file, ['--help'])).toEqual({ code: 0, stdout: expect.stringMatching(/^Usage: /), stderr: '' })
  })

  test('a wrong option is told with the usage, without a stack trace', async () => {
    const { code, stderr } = await run(file, ['--rol', 'member'])
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^Unknown option '--rol'[\s\S]*\n\nUsage: /)])
    expect(stderr).not.toMatch(/^ {4}at /m)
  })
})

test('a taken port is told by its number, with the next one to try', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  const { code, stderr } = await run('local/dev.ts', ['--port', String(port)])
  taken.close()
  expect([code, stderr]).toEqual([
    1,
    `Port ${port} is taken: stop what listens there, or serve elsewhere: npm run dev -- --port ${port + 1}\n`,
  ])
})
