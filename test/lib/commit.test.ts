/** The commit that a synthesis names: of the repository it runs in, or of the build service that has none. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { deployedCommit } from '../../lib/commit.ts'

const sha = '0123456789abcdef0123456789abcdef01234567'
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'octomil-commit-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const git = (...args: string[]): string =>
  execFileSync('git', ['-c', 'user.name=Test', '-c', 'user.email=test@example.com', ...args], {
    cwd: folder,
    encoding: 'utf8',
  }).trim()

test('names the commit of the repository with 12 digits, and says where files differ from it', () => {
  git('init', '--quiet')
  git('commit', '--quiet', '--allow-empty', '--message', 'first')
  const commit = git('rev-parse', 'HEAD').slice(0, 12)
  expect(deployedCommit({ GITHUB_SHA: sha }, folder)).toBe(commit)
  writeFileSync(join(folder, 'new.ts'), '')
  expect(deployedCommit({}, folder)).toBe(`${commit}-dirty`)
})

test.each(['GITHUB_SHA', 'CODEBUILD_RESOLVED_SOURCE_VERSION'])('without a repository, names the one of %s', (name) => {
  expect(deployedCommit({ [name]: sha }, folder)).toBe('0123456789ab')
})

test('is unknown without either, and where a build service names no commit', () => {
  expect(deployedCommit({}, folder)).toBe('unknown')
  const revisionOfS3 = 'arn:aws:s3:::bucket/source.zip'
  expect(deployedCommit({ CODEBUILD_RESOLVED_SOURCE_VERSION: revisionOfS3 }, folder)).toBe('unknown')
})
