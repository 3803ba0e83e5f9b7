/** The page docs/performance.md: it must have every part. The measurements themselves are not tested. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type PartName, parts } from '../../bench/parts.ts'
import { partMark, performancePage } from '../../bench/performance-page.ts'
import { percentile, type Report, wrapped } from '../../bench/report.ts'

test('docs/performance.md has every part of the bench', () => {
  const page = readFileSync(new URL('../../docs/performance.md', import.meta.url), 'utf8')
  for (const name of Object.keys(parts) as PartName[]) {
    expect(page, `the bench has another part; run: npm run bench -- --write`).toContain(partMark(name))
  }
})

test('the page names the machine, and whether each budget is kept', () => {
  const budget = { what: 'a thing', measured: '3', limit: '2', isKept: false }
  const table = { title: 'Things', rows: [{ thing: 'one', ms: '3' }], note: 'Measured.' }
  const report: Report = { tables: [table], budgets: [budget, { ...budget, measured: '1', isKept: true }] }
  const page = performancePage('8 cores of a processor', new Map([['cold', report]]))
  expect(page).toContain('8 cores of a processor')
  expect(page).toContain('| a thing | 3 | 2 | **over** |')
  expect(page).toContain('| a thing | 1 | 2 | kept |')
  expect(page).toContain('## Things\n\n| thing | ms |\n| --- | ---: |\n| one | 3 |\n\nMeasured.\n')
})

test('a percentile is a value by nearest rank', () => {
  expect(percentile([5, 1, 4, 2, 3], 0.5)).toBe(3)
  expect(percentile([1, 2], 0.99)).toBe(2)
  expect(percentile([7], 0)).toBe(7)
})

test('wrapped text keeps its words within the width', () => {
  const text = 'the quick brown fox jumps over the lazy dog '.repeat(5).trim()
  expect(wrapped(text, 20).replaceAll('\n', ' ')).toBe(text)
  for (const line of wrapped(text, 20).split('\n')) expect(line.length).toBeLessThanOrEqual(20)
})
