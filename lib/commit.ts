/** The deployed commit: `meta.health` returns it, and `npm run stack-trace` needs its sources. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

/** Digits of `git rev-parse --short=12`. */
const digits = 12
const root = join(import.meta.dirname, '..')

/**
 * The commit of this folder: 12 digits, with `-dirty` if files differ from it. Without a repository, the commit from GitHub Actions
 * or CodeBuild. Otherwise `unknown`.
 */
export function deployedCommit(env: NodeJS.ProcessEnv = process.env, folder = root): string {
  try {
    const commit = git(folder, 'rev-parse', `--short=${digits}`, 'HEAD')
    return git(folder, 'status', '--porcelain') === '' ? commit : `${commit}-dirty`
  } catch {
    const named = env.GITHUB_SHA || env.CODEBUILD_RESOLVED_SOURCE_VERSION || ''
    // CodeBuild gives the version of an S3 object if its source is not a repository.
    return /^[0-9a-f]{40}$/.test(named) ? named.slice(0, digits) : 'unknown'
  }
}

const git = (cwd: string, ...args: readonly string[]): string =>
  execFileSync('git', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
