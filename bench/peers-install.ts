/** Installs the peers that are packages into `.local/peers`: they are no part of `npm ci`. */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CommandError } from '../bin/usage.ts'

const source = join(import.meta.dirname, 'peers')
const folder = join(import.meta.dirname, '..', '.local', 'peers')
const lock = 'package-lock.json'

/** The file of a peer, beside its packages. Installs them first, unless those of the lock are there. */
export function peerFile(name: string): string {
  const isInstalled = existsSync(join(folder, 'node_modules')) && textOf(folder) === textOf(source)
  mkdirSync(folder, { recursive: true })
  cpSync(source, folder, { recursive: true })
  if (!isInstalled) install()
  return join(folder, name)
}

const textOf = (of: string): string | undefined =>
  existsSync(join(of, lock)) ? readFileSync(join(of, lock), 'utf8') : undefined

function install(): void {
  console.error('bench: installing the peers into .local/peers; only the first run does this')
  try {
    execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
  } catch (error) {
    throw new CommandError(
      'The peers were not installed. They need the npm registry; other parts of the bench do not.',
      {
        cause: error,
      },
    )
  }
}
