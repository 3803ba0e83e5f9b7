/** A stage in the emulator, and the commands in `bin/` run against it as a person would run them. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { outputNames } from '../../lib/stage.ts'
import type { Target } from '../http/target.ts'
import type { Emulator } from './emulator.ts'

const root = join(import.meta.dirname, '..', '..')
const timeoutMs = 60_000

export interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

/** Runs a command with input lines given in advance, and with those that `answer` derives from stderr. */
export function command(
  { environment }: Emulator,
  name: string,
  options: string[],
  lines: string[] = [],
  answer?: (shown: string) => string[],
): Promise<Ended> {
  const child = spawn(process.execPath, [`bin/${name}.ts`, ...options], {
    cwd: root,
    env: { ...process.env, ...environment },
    timeout: timeoutMs,
  })
  const type = (typed: readonly string[]) => child.stdin.write(typed.map((line) => `${line}\n`).join(''))
  const ended: Ended = { code: null, stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => {
    ended.stdout += chunk
  })
  child.stderr.on('data', (chunk: Buffer) => {
    ended.stderr += chunk
    const typed = answer?.(ended.stderr) ?? []
    if (typed.length > 0) type(typed)
  })
  // A command that has ended reads no more.
  child.stdin.on('error', () => {})
  if (lines.length > 0) type(lines)
  if (!answer) child.stdin.end()
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ ...ended, code }))
  })
}

export interface Deployed {
  emulator: Emulator
  stage: string
  api: Pick<Target, 'url' | 'host'>
  known: Record<string, string>
}

export const signIn = ({ emulator, stage }: Deployed, email: string, lines: string[]): Promise<Ended> =>
  command(emulator, 'sign-in', ['--stage', stage, '--email', email], lines)

export const poolOf = ({ known }: Deployed) => ({
  UserPoolId: known[outputNames.userPoolId],
  ClientId: known[outputNames.userPoolClientId],
})
