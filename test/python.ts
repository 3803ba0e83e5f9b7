/** Python tools that tests drive: installed into `.local/` from pinned packages, once a version. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const localFolder = join(import.meta.dirname, '..', '.local')

/**
 * The folder of the tools' programs, `python` among them.
 *
 * @throws Error where there is no Python 3.10 or newer
 */
export function installPython(name: string, requirements: string): string {
  const venv = join(localFolder, name)
  const binaries = join(venv, 'bin')
  const mark = join(venv, 'installed')
  const wanted = readFileSync(requirements, 'utf8')
  if (existsSync(mark) && readFileSync(mark, 'utf8') === wanted) return binaries
  console.log(`installing into .local/${name} …`)
  mkdirSync(localFolder, { recursive: true })
  execFileSync(findPython(), ['-m', 'venv', '--clear', venv], { stdio: 'inherit' })
  const pip = ['install', '--quiet', '--disable-pip-version-check', '-r', requirements]
  execFileSync(join(binaries, 'pip'), pip, { stdio: 'inherit' })
  writeFileSync(mark, wanted)
  return binaries
}

/** A Python that is new enough for all of them. */
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
  throw new Error('This test needs Python 3.10 or newer beside Node, as python3 on the PATH. `npm test` does not.')
}
