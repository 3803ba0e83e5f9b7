/** Tables for a terminal, and the statistics that stand in them. */

export type TableRow = Record<string, string>

/** Prints a table: the first column to the left, numbers to the right. The columns are those of the first row. */
export function printTable(title: string, rows: readonly TableRow[], notes: readonly string[] = []): void {
  const columns = Object.keys(rows[0] ?? {})
  const widths = columns.map((column) => Math.max(column.length, ...rows.map((row) => (row[column] ?? '').length)))
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, index) => (index === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[index] ?? 0)))
      .join('  ')
      .trimEnd()
  console.log(`\n${title}\n`)
  console.log(`  ${line(columns)}`)
  for (const row of rows) console.log(`  ${line(columns.map((column) => row[column] ?? ''))}`)
  if (notes.length > 0) console.log(`\n${notes.map((note) => `  ${note}`).join('\n')}`)
}

/** The value that `share` (0 to 1) of all values are not above, by nearest rank. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}

export const median = (values: readonly number[]): number => percentile(values, 0.5)

export const ms = (value: number): string => (value < 100 ? value.toFixed(2) : value.toFixed(0))
export const kib = (bytes: number): string => (bytes / 1024).toFixed(0)
export const ratio = (value: number, base: number): string => `${(value / base).toFixed(2)}x`
