/**
 * README and the tutorial as a newcomer pastes them: every block of the sections that need only `npm run dev`, in one bash,
 * against the local service. Without bash and curl the test is skipped, and its title says so.
 */
import { execFile, spawnSync } from 'node:child_process'
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Service, seed, seedServiceKey, startService } from '../../local/service.ts'

const root = join(import.meta.dirname, '..', '..')
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const documentedUrl = 'http://127.0.0.1:3000'

const sectionOf = (file: string, title: string): string =>
  read(file)
    .split(/^## /m)
    .find((part) => part.startsWith(`${title}\n`)) ?? ''
const blocksIn = (text: string, language: string): string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, block = '']) => block)

const tryIt = sectionOf('README.md', 'Try it')
const tutorial = ['API keys', 'Governance', 'Cloud and execution', 'Billing'].map((title) =>
  sectionOf('docs/tutorial.md', title),
)
/** The blocks that need more than the local service. */
const needsMore = /stripe listen/
const tutorialBlocks = tutorial.flatMap((section) => blocksIn(section, 'sh')).filter((block) => !needsMore.test(block))

const canPaste = ['bash', 'curl'].every((name) => spawnSync(name, ['--version']).status === 0)

describe.skipIf(!canPaste)(`the documented walks${canPaste ? '' : ' (SKIPPED: no bash or curl here)'}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'octomil-readme-'))
  let service: Service

  beforeAll(async () => {
    service = await startService({ port: 0, tableName: process.env.TABLE_NAME ?? '' })
    mkdirSync(join(folder, '.local'))
    const state = { url: service.url, orgs: await seed(service), service_key: await seedServiceKey() }
    writeFileSync(join(folder, '.local', 'dev.json'), JSON.stringify(state))
  })
  afterAll(async () => {
    await service.close()
    rmSync(folder, { recursive: true, force: true })
  })

  /** Runs blocks in one bash. Each line of `answers` is the status and URL of a request. */
  async function paste(blocks: readonly string[]): Promise<{ stdout: string; answers: string[] }> {
    const watched = `curl() { command curl -w '%{stderr}%{http_code} %{url_effective}\\n' "$@"; }`
    const script = ['set -eu', watched, ...blocks].join('\n').replaceAll(documentedUrl, service.url)
    const { stdout, stderr } = await promisify(execFile)('bash', ['-c', script], { cwd: folder })
    return { stdout, answers: stderr.trim().split('\n') }
  }

  test('README’s calls print the answers that it shows; the last one’s message is in the inbox', async () => {
    const { stdout } = await paste(blocksIn(tryIt, 'sh'))
    const answers = stdout.trim().split('\n')
    const shown = blocksIn(tryIt, 'json')
    expect(shown).toHaveLength(5)
    expect(answers).toHaveLength(5)
    for (const [index, block] of shown.entries()) {
      expect(JSON.parse(answers[index] ?? '')).toMatchObject(elided(JSON.parse(block)) as object)
    }
    expect(blocksIn(tryIt, 'sh').at(-1)).toContain('/test')
    const inbox = await fetch(`${service.url}/local/inbox?type=slack`)
    expect(await inbox.text()).toContain('<h3>integration.test</h3>')
  })

  test('the tutorial works as pasted: one call is refused, on purpose, and every other succeeds', async () => {
    expect(tutorialBlocks.length).toBeGreaterThan(10)
    const { stdout, answers } = await paste(tutorialBlocks)
    expect(answers.filter((line) => !line.startsWith('2'))).toEqual([`401 ${service.url}/api/v2/settings/api-keys`])
    expect(answers.length).toBeGreaterThan(20)
    expect(stdout).not.toContain('undefined')
    expect(stdout).toContain('"verification_status":"verified"')
    expect(stdout).toContain('"live_connectivity":"not_tested"')
    expect(stdout).toContain('/local/stripe/checkout/')
  })

  test('blocks paste into zsh too, which takes no comments at its prompt', () => {
    const blocks = [...blocksIn(read('README.md'), 'sh'), ...tutorialBlocks]
    expect(blocks.filter((block) => /(^|\s)#\s/.test(block))).toEqual([])
  })
})

/** A shown answer as a matcher: `…` stands for the rest of a text. */
function elided(shown: unknown): unknown {
  if (typeof shown === 'string' && shown.endsWith('…')) return expect.stringContaining(shown.slice(0, -1))
  if (Array.isArray(shown)) return shown.map(elided)
  if (typeof shown !== 'object' || shown === null) return shown
  return Object.fromEntries(Object.entries(shown).map(([name, value]) => [name, elided(value)]))
}

test('README fits on a few screens', () => {
  expect(statSync(join(root, 'README.md')).size).toBeLessThanOrEqual(9 * 1024)
})

/** The anchor that GitHub gives a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
const anchorsIn = (file: string): string[] =>
  [...read(file).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading))

test.each(globSync(['*.md', 'docs/*.md', 'client/README.md'], { cwd: root }))(
  '%s links to files and headings that exist',
  (file) => {
    const links = [...read(file).matchAll(/\]\((?!https?:|\.\.\/\.\.\/security)([^)\s]+)\)/g)].map(([, link]) => link)
    for (const link of links) {
      const [path = '', anchor] = link?.split('#') ?? []
      const target = path === '' ? file : join(dirname(file), path)
      expect(existsSync(join(root, target)), `${file}: ${link}`).toBe(true)
      if (anchor && target.endsWith('.md')) expect(anchorsIn(target), `${file}: ${link}`).toContain(anchor)
    }
  },
)

test('npm commands in documents exist', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const named = globSync(['*.md', 'docs/*.md', '.github/**/*.md'], { cwd: root }).flatMap((file) =>
    [...read(file).matchAll(/npm run (?:-s )?([a-z][a-z:-]*)/g)].map(([, name = '']) => name),
  )
  expect(named.filter((name) => !(name in scripts))).toEqual([])
})
