/**
 * The README's walk, as a newcomer pastes it: every block of the sections that need nothing but `npm run dev`, in one bash,
 * against the local service. Needs bash and curl; where there are none it is skipped, and its title says so.
 */
import { execFile, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Service, seed, startService } from '../../local/service.ts'

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
const urlInReadme = 'http://127.0.0.1:3000'
const walk = ['Try it', 'Govern an organization', 'Connect a provider, or a runtime of your own', 'Pay, without money']
/** Blocks of these sections that ask for more than the local service. */
const needsMore = /stripe listen/

const sectionOf = (title: string): string => readme.split(/^## /m).find((part) => part.startsWith(`${title}\n`)) ?? ''
const blocksOf = (title: string): string[] =>
  [...sectionOf(title).matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block)

const canPaste = ['bash', 'curl'].every((name) => spawnSync(name, ['--version']).status === 0)

describe.skipIf(!canPaste)(`the README’s walk${canPaste ? '' : ' (SKIPPED: no bash or curl here)'}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'octomil-readme-'))
  let service: Service

  beforeAll(async () => {
    service = await startService({ port: 0, tableName: process.env.TABLE_NAME ?? '' })
    mkdirSync(join(folder, '.local'))
    const state = { url: service.url, orgs: await seed(service) }
    writeFileSync(join(folder, '.local', 'dev.json'), JSON.stringify(state))
  })
  afterAll(async () => {
    await service.close()
    rmSync(folder, { recursive: true, force: true })
  })

  test('works as pasted: one call is refused, on purpose, and every other succeeds', async () => {
    const blocks = walk.flatMap(blocksOf).filter((block) => !needsMore.test(block))
    expect(blocks.length).toBeGreaterThan(10)
    // What curl was answered goes to the standard error, so that what the blocks keep of it is as it was.
    const watched = `curl() { command curl -w '%{stderr}%{http_code} %{url_effective}\\n' "$@"; }`
    const script = ['set -eu', watched, ...blocks].join('\n').replaceAll(urlInReadme, service.url)
    const { stdout, stderr } = await promisify(execFile)('bash', ['-c', script], { cwd: folder })
    const answers = stderr.trim().split('\n')
    expect(answers.filter((line) => !line.startsWith('2'))).toEqual([`401 ${service.url}/api/v2/settings/api-keys`])
    expect(answers.length).toBeGreaterThan(20)
    expect(stdout).not.toContain('undefined')
    expect(stdout).toContain('"verification_status":"verified"')
    expect(stdout).toContain('"live_connectivity":"not_tested"')
    expect(stdout).toContain('/local/stripe/checkout/')
  })

  test('pastes into zsh too, which takes no comments at its prompt', () => {
    expect(walk.flatMap(blocksOf).filter((block) => /(^|\s)#\s/.test(block))).toEqual([])
  })

  test('links to files that are there', () => {
    const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, path = '']) => path)
    expect(links).not.toEqual([])
    for (const path of links)
      expect(() => readFileSync(new URL(`../../${path}`, import.meta.url)), path).not.toThrow(/ENOENT/)
  })
})
