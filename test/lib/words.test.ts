/** Plain words: comments, messages, documents and titles of tests name things, and avoid phrases that have to be solved first. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { proseOf } from './prose.ts'

const root = join(import.meta.dirname, '..', '..')

/** Name the actor or the thing instead: "the caller", "the value sent", "returned". */
const banned: readonly RegExp[] = [
  /\b(?:who|whom|what)ever\b/gi,
  /\b(?:no|some|any|every)body\b/gi,
  /\bsomeone\b/gi,
  /\bone's\b/gi,
  /\b(?:tells?|told|telling)\b/gi,
  /\bstrangers?\b/gi,
  /\bwhat (?:is|was|are|were)\b/gi,
  /\bthat there (?:is|are)\b/gi,
]

/** Files that are quoted or generated: their words are decided elsewhere. */
const exceptions: ReadonlyMap<string, string> = new Map([
  ['client/src/schema.ts', 'generated from the contracts, which are checked'],
  ['test/lib/words.test.ts', 'its samples are the phrases it looks for'],
])

/** Phrases per 1,000 lines of a folder. */
const limit = 0.5

const files = [
  ...globSync('{bin,lib,functions,shared,local,local-stripe,bench,cost,client/src,test}/**/*.{ts,mjs}', { cwd: root }),
  ...globSync('{docs,test}/**/*.{ts,md}', { cwd: root }),
  ...globSync('{README,CONTRIBUTING,CHANGELOG,client/README}.md', { cwd: root }),
]
  .filter((file) => !exceptions.has(file) && !file.includes('node_modules'))
  .filter((file, index, all) => all.indexOf(file) === index)

function folderOf(file: string): string {
  if (!file.includes('/') || file === 'client/README.md') return 'root'
  return ['local/stripe', 'client/src'].find((folder) => file.startsWith(`${folder}/`)) ?? file.split('/')[0] ?? ''
}

const isTitle = (before: string): boolean => /\b(?:test|describe|it)(?:\.\w+)*\($|\]\)\($/.test(before.trimEnd())

/** A comment's text without the marks at the begin of its lines, so that a phrase over two lines is one phrase. */
const inOneLine = (text: string): string => text.replace(/\s*\n\s*(?:\*|\/\/)?\s*/g, ' ')

/** The prose of a file: a document without its code blocks; of a test its comments and titles, its strings being data. */
function wordsOf(file: string, source: string): { line: number; text: string }[] {
  if (file.endsWith('.md')) {
    const blank = source.replace(/```[\s\S]*?```/g, (block) => block.replace(/[^\n]/g, ''))
    return [...blank.matchAll(/(?:.+\n?)+/g)].map(({ 0: text, index }) => ({
      line: blank.slice(0, index).split('\n').length,
      text: inOneLine(text),
    }))
  }
  return proseOf(source)
    .filter(({ kind, before }) => !file.startsWith('test/') || kind === 'comment' || isTitle(before))
    .map(({ line, text }) => ({ line, text: inOneLine(text) }))
}

const offencesIn = (file: string, source: string): string[] =>
  wordsOf(file, source).flatMap(({ line, text }) =>
    banned.flatMap((phrase) => [...text.matchAll(phrase)].map(([found]) => `${file}:${line}: ${found}`)),
  )

const perFile = files.map((file) => {
  const source = readFileSync(join(root, file), 'utf8')
  return { file, folder: folderOf(file), lines: source.split('\n').length, offences: offencesIn(file, source) }
})
const folders = [...new Set(perFile.map(({ folder }) => folder))].sort()

describe('plain words', () => {
  test.each(folders)('%s has few phrases that need solving', (folder) => {
    const own = perFile.filter((each) => each.folder === folder)
    const lines = own.reduce((sum, each) => sum + each.lines, 0)
    const offences = own.toSorted((a, b) => b.offences.length - a.offences.length).flatMap((each) => each.offences)
    const rate = (offences.length / lines) * 1000
    const worst = `${offences.length} in ${lines} lines; the worst files first:\n${offences.slice(0, 60).join('\n')}`
    expect(rate, worst).toBeLessThanOrEqual(limit)
  })

  test('every exception is a file that exists', () => {
    expect([...exceptions.keys()].filter((file) => globSync(file, { cwd: root }).length === 0)).toEqual([])
  })
})

describe('the check', () => {
  const found = (source: string, file = 'shared/sample.ts') => offencesIn(file, source)

  test('reads comments, strings and templates, and a phrase over two lines', () => {
    expect(found('/** Whoever asks. */')).toHaveLength(1)
    expect(found('/**\n * Shows what\n * is set.\n */')).toHaveLength(1)
    expect(found("const problem = 'Tell the owner'")).toHaveLength(1)
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the sample is a template
    expect(found('const problem = `${[1].map((n) => `${n} told`)} to nobody`')).toHaveLength(2)
    expect(found('Somebody changed it.\n\n```sh\necho nobody\n```', 'docs/sample.md')).toHaveLength(1)
  })

  test('leaves code and regular expressions alone', () => {
    expect(found('const nobody = whatever / 2 // half')).toEqual([])
    expect(found('const name = /["\'`]nobody/.test(text) ? 1 : 2')).toEqual([])
  })

  test('reads titles of a test file, and no other string', () => {
    expect(found("test('nobody may', () => expect(name).toBe('nobody'))", 'test/sample.test.ts')).toHaveLength(1)
    expect(found("test.each(['nobody'])('somebody else, %s', () => {})", 'test/sample.test.ts')).toHaveLength(1)
  })
})
