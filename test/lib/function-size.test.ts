/**
 * The size of functions in product code. Biome's rules do not suffice: it counts cognitive complexity, not cyclomatic, and omits
 * many lines of object literals.
 */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseAst } from 'vitest/node'

const root = join(import.meta.dirname, '..', '..')
const sources = globSync('{{bin,lib,functions,shared,local,bench,cost,local-stripe/src,client/src}/**,docs}/*.ts', {
  cwd: root,
}).filter((file) => file !== 'client/src/schema.ts')

const maxLines = 40
const maxComplexity = 12
/** Stands on the line above a function that may be larger, with the reason. */
const exemption = /\/\/ function-size: \S/

interface Measure {
  line: number
  /** Lines that are not blank. */
  lines: number
  /** Cyclomatic complexity: one, and one more for each branch. Functions inside have their own. */
  complexity: number
}

type Node = Record<string, unknown> & { type: string; start: number; end: number }

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'

const functions = /^(?:FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/
const branches =
  /^(?:If|For|ForIn|ForOf|While|DoWhile)Statement$|^(?:ConditionalExpression|LogicalExpression|CatchClause)$/

const isBranch = ({ type, test, operator }: Node): boolean =>
  branches.test(type) ||
  (type === 'SwitchCase' && test !== null) ||
  (type === 'AssignmentExpression' && /^(?:&&|\|\||\?\?)=$/.test(String(operator)))

/** The functions of a file, without those that have an exemption. */
function measure(source: string): Measure[] {
  const found: Measure[] = []
  const visit = (value: unknown, around: Measure | undefined): void => {
    if (Array.isArray(value)) for (const each of value) visit(each, around)
    if (!isNode(value)) return
    if (around && isBranch(value)) around.complexity++
    const within = functions.test(value.type) ? measureOf(source, value) : around
    if (within && within !== around) found.push(within)
    for (const part of Object.values(value)) visit(part, within)
  }
  visit(parseAst(source, { lang: 'ts' }).body, undefined)
  const lines = source.split('\n')
  return found.filter(({ line }) => !exemption.test(lines[line - 2] ?? ''))
}

const measureOf = (source: string, { start, end }: Node): Measure => ({
  line: source.slice(0, start).split('\n').length,
  lines: source
    .slice(start, end)
    .split('\n')
    .filter((line) => line.trim() !== '').length,
  complexity: 1,
})

const tooLarge = (source: string): Measure[] =>
  measure(source).filter(({ lines, complexity }) => lines > maxLines || complexity > maxComplexity)

describe('product code', () => {
  test(`has functions of at most ${maxLines} lines and a complexity of at most ${maxComplexity}`, () => {
    expect(sources.length).toBeGreaterThan(400)
    const offenders = sources.flatMap((file) =>
      tooLarge(readFileSync(join(root, file), 'utf8')).map(
        ({ line, lines, complexity }) => `${file}:${line} has ${lines} lines and a complexity of ${complexity}`,
      ),
    )
    expect(offenders).toEqual([])
  })
})

describe('the check', () => {
  const lineOf = (count: number): string => `const f = () => {\n${'  g()\n'.repeat(count - 2)}}\n`

  test('counts lines that are not blank, those of object literals too', () => {
    expect(measure('function f() {\n\n  return {\n    a: 1,\n  }\n}')).toEqual([{ line: 1, lines: 5, complexity: 1 }])
    expect(tooLarge(lineOf(maxLines))).toEqual([])
    expect(tooLarge(lineOf(maxLines + 1))).toHaveLength(1)
  })

  test.each([
    ['if (a) b(); else if (c) d()', 3],
    ['return ((a && b) || c) ?? d', 4],
    ['return a ? b : c', 2],
    ['for (const a of b) while (c) d()', 3],
    ['for (;;) do a(); while (b)', 3],
    ['for (const a in b) c()', 2],
    ['switch (a) { case 1: case 2: b(); default: c() }', 3],
    ['try { a() } catch { b() }', 2],
    ['a ??= b; c ||= d; e &&= f; g += h', 4],
    ['return a?.b', 1],
  ])('counts branches: %s', (body, complexity) => {
    expect(measure(`function f() { ${body} }`).map((each) => each.complexity)).toEqual([complexity])
  })

  test('counts a function inside another one by itself', () => {
    const source = 'class A { m() { if (a) return [1].map((n) => (n ? b : c)) } }'
    expect(measure(source).map(({ complexity }) => complexity)).toEqual([2, 2])
  })

  test('accepts a larger function with a reason above it, and no other', () => {
    expect(tooLarge(`// function-size: one list of rules\n${lineOf(99)}`)).toEqual([])
    expect(tooLarge(`// function-size:\n${lineOf(99)}`)).toHaveLength(1)
    expect(tooLarge(`// function-size: one list of rules\nconst a = 1\n${lineOf(99)}`)).toHaveLength(1)
  })
})
