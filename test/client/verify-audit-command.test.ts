/** The command `verify-audit`: its text, its exit status, and its errors. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { publicKeys } from '../../shared/trail/public-keys.ts'
import { invoke } from '../support/invoke.ts'
import type { TestOrg } from '../support/orgs.ts'
import { exportPages, makeTrail } from '../support/trail.ts'

const command = join(import.meta.dirname, '..', '..', 'client', 'src', 'verify-audit-command.ts')
const folder = mkdtempSync(join(tmpdir(), 'octomil-verify-'))
let org: TestOrg
let whole: string
let lines: string[]

beforeAll(async () => {
  org = await makeTrail()
  whole = (await exportPages(org)).join('')
  lines = whole.trimEnd().split('\n')
  file('keys.json', JSON.stringify({ keys: await publicKeys() }))
  file('export.ndjson', whole)
})
afterAll(() => {
  vi.useRealTimers()
  rmSync(folder, { recursive: true })
})

function file(name: string, text: string | Uint8Array): string {
  writeFileSync(join(folder, name), text)
  return name
}

function verify(args: string[], input = '') {
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...args], {
    cwd: folder,
    input,
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}
const withKeys = (...args: string[]) => verify([...args, '--keys', 'keys.json'])

const blockLine = (number: number): number =>
  lines.findIndex((line) => line.includes(`"number":${number},"previous_hash"`))
const hashOf = (number: number): string => JSON.parse(lines[blockLine(number)] ?? '').block.hash

describe('a valid export', () => {
  const summary = `Valid: 12 events, 4 blocks (1 to 4).
Signed through block 3.
Not signed yet: 1 block.
In no block yet, so not proven: 1 event.
If the service has a block after 4, a page may be missing.
`

  test('ends with 0, from a file, from stdin and from several files', () => {
    expect(withKeys('export.ndjson')).toEqual({ status: 0, stdout: summary, stderr: '' })
    expect(verify(['-', '--keys', 'keys.json'], whole)).toEqual({ status: 0, stdout: summary, stderr: '' })
    const cut = blockLine(2) + 1
    file('1.ndjson', `${lines.slice(0, cut).join('\n')}\n`)
    file('2.ndjson', lines.slice(cut).join('\n'))
    expect(withKeys('1.ndjson', '2.ndjson')).toEqual({ status: 0, stdout: summary, stderr: '' })
  })

  test('holds a head and a checkpoint that were kept', async () => {
    const { text } = await invoke('audit-events/checkpoints', { token: org.adminKey })
    file('checkpoints.json', text)
    const kept = ['--checkpoint', 'checkpoints.json']
    for (const head of [hashOf(4), `4:${hashOf(4)}`]) {
      expect(withKeys('export.ndjson', '--head', head, ...kept)).toMatchObject({ status: 0, stderr: '' })
    }
  })

  test('of a range ends with 0 when the range is named', async () => {
    const from = JSON.parse(lines[blockLine(2) - 1] ?? '').event.timestamp as string
    file('range.ndjson', (await exportPages(org, { from })).join(''))
    expect(withKeys('range.ndjson', '--from', from)).toMatchObject({ status: 0 })
    expect(withKeys('range.ndjson')).toMatchObject({ status: 1 })
  })

  test('prints its report as JSON', () => {
    const { stdout } = withKeys('export.ndjson', '--json')
    expect(JSON.parse(stdout)).toMatchObject({ valid: true, signed_through: 3, faults: [] })
  })
})

describe('an export that is not valid', () => {
  test('ends with 1, and each fault names its line', () => {
    file('tampered.ndjson', whole.replace('key é 1', 'key é 7'))
    const line = lines.findIndex((text) => text.includes('key é 1')) + 1
    const { status, stdout } = withKeys('tampered.ndjson')
    expect(status).toBe(1)
    expect(stdout).toMatch(/^Not valid: 12 events/)
    expect(stdout).toMatch(
      new RegExp(`\n1 fault:\n  line ${line}: Event aud_\\w+ does not match its hash. \\[changed\\]\n$`),
    )
  })

  test('in several files names the file', () => {
    file('a.ndjson', `${lines[0]}\n`)
    file('b.ndjson', `${lines.slice(1).join('\n').replace('key é 1', 'key é 7')}\n`)
    const line = lines.findIndex((text) => text.includes('key é 1'))
    expect(withKeys('a.ndjson', 'b.ndjson').stdout).toContain(`  b.ndjson line ${line}: Event`)
  })

  test('lacks its last page: found by the head that was kept', () => {
    file('first.ndjson', `${lines.slice(0, blockLine(2) + 1).join('\n')}\n`)
    const { status, stdout } = withKeys('first.ndjson', '--head', `4:${hashOf(4)}`)
    expect(status).toBe(1)
    expect(stdout).toContain('  The export ends at block 2, before block 4 that you kept. [cut_off]')
  })

  test('ends within a line', () => {
    file('cut.ndjson', whole.slice(0, 3000))
    expect(withKeys('cut.ndjson').stdout).toContain('The line is not JSON. [malformed]')
  })
})

describe('an input that cannot be verified ends with 2:', () => {
  test.each<[string, string | Uint8Array, string]>([
    ['an empty file', '', 'is empty.'],
    ['CSV', 'id,timestamp,action\r\n', 'is CSV, which holds no blocks. Export with format=ndjson'],
    ['headers', 'HTTP/1.1 200 OK\r\n', 'starts with the headers of an answer.'],
    [
      'a problem',
      '{"status":401,"title":"Authentication failed"}',
      'is an error of the service: 401 Authentication failed',
    ],
    ['a list', '{"data":[],"next_cursor":null}', 'is a page of a list.'],
    ['keys', '{"keys":[]}', 'holds keys, not an export.'],
    ['UTF-16', Buffer.from('{"event":{}}', 'utf16le').fill(0xff, 0, 1), 'is not UTF-8 text.'],
  ])('%s', (_title, text, said) => {
    const { status, stdout, stderr } = withKeys(file('wrong', text))
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toMatch(/^wrong [^\n]+\n$/)
    expect(stderr).toContain(said)
  })

  test.each<[string, string[], string]>([
    ['no export', ['--keys', 'keys.json'], 'Name an export and --keys.'],
    ['no keys', ['export.ndjson'], 'Name an export and --keys.'],
    ['an unknown option', ['--signature'], "Unknown option '--signature'"],
    ['a file that does not exist', ['none', '--keys', 'keys.json'], 'There is no file none.'],
    ['keys that do not exist', ['export.ndjson', '--keys', 'none'], 'There is no file none.'],
    ['keys that are not JSON', ['export.ndjson', '--keys', 'export.ndjson'], 'export.ndjson is not JSON.'],
    ['a wrong head', ['export.ndjson', '--keys', 'keys.json', '--head', '4'], '--head must be the hash of a block'],
    ['a wrong time', ['export.ndjson', '--keys', 'keys.json', '--from', 'x'], 'from is not a time: x'],
    [
      'a wrong checkpoint',
      ['export.ndjson', '--keys', 'keys.json', '--checkpoint', 'keys.json'],
      'keys.json holds no checkpoint.',
    ],
  ])('%s', (_title, args, said) => {
    const { status, stdout, stderr } = verify(args)
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toContain(said)
    expect(stderr).not.toMatch(/\n\s+at /)
  })
})
