/** Reports of the bench's parts, for a terminal and for a page, and their statistics. */

export type TableRow = Record<string, string>

/** The first column names the measurement, the others are figures. The first row defines the columns. */
export interface Table {
  title: string
  rows: readonly TableRow[]
  /** Explains how to read the figures. */
  note: string
}

/** A figure with a limit: a maximum, unless `limit` says `at least`. */
export interface Budget {
  what: string
  measured: string
  limit: string
  isKept: boolean
}

export interface Report {
  tables: readonly Table[]
  budgets?: readonly Budget[]
}

const noteWidth = 120

/** Prints a table: the first column aligned left, numbers aligned right. */
export function printTable({ title, rows, note }: Table): void {
  const columns = columnsOf(rows)
  const widths = columns.map((column) => Math.max(column.length, ...rows.map((row) => (row[column] ?? '').length)))
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, index) => (index === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[index] ?? 0)))
      .join('  ')
      .trimEnd()
  console.log(`\n${title}\n`)
  console.log(`  ${line(columns)}`)
  for (const row of rows) console.log(`  ${line(cellsOf(row, columns))}`)
  console.log(`\n${wrapped(note, noteWidth).replaceAll(/^/gm, '  ')}`)
}

/** Rows in Markdown: the first `textColumns` aligned left, figures aligned right. */
export function markdownTable(rows: readonly TableRow[], textColumns = 1): string {
  const columns = columnsOf(rows)
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const rule = columns.map((_, index) => (index < textColumns ? '---' : '---:'))
  return [line(columns), line(rule), ...rows.map((row) => line(cellsOf(row, columns)))].join('\n')
}

const columnsOf = ([first = {}]: readonly TableRow[]): string[] => Object.keys(first)
const cellsOf = (row: TableRow, columns: readonly string[]): string[] => columns.map((column) => row[column] ?? '')

/** Wraps text into lines of at most `width` characters, unless a word is longer. */
export const wrapped = (text: string, width: number): string =>
  text.replaceAll(new RegExp(`(.{1,${width}})(?: +|$)`, 'g'), '$1\n').trimEnd()

/** The percentile of `share` (0 to 1), by nearest rank. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}

export const median = (values: readonly number[]): number => percentile(values, 0.5)

export const ms = (value: number): string => (value < 100 ? value.toFixed(2) : value.toFixed(0))
export const kib = (bytes: number): string => (bytes / 1024).toFixed(0)
export const ratio = (value: number, base: number): string => `${(value / base).toFixed(2)}x`
