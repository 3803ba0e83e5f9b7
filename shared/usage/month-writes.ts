/** The writes of changed months: one update per row, on the condition that the row still permits the change. */
import { tableName } from '../table/client.ts'
import type { Metric } from '../usage-limits/record.ts'
import type { MonthChange } from './changes.ts'
import { attributes, type Month, monthKey } from './month.ts'
import { addMonths, readableMonths, startOf } from './period.ts'

/** The maximum of a sum after the write, by metric. */
export type Bound = (metric: Metric) => number

/** One row to update. Without a condition on its version or on sums, it only has to be as it was: there, or not there. */
class RowUpdate {
  readonly #month: string
  readonly #sets: string[] = []
  readonly #adds: string[] = []
  readonly #conditions: string[] = []
  readonly #names: Record<string, string> = {}
  readonly #values: Record<string, number | string> = {}
  #hasNextVersion = false

  constructor(month: string) {
    this.#month = month
  }

  name(attribute: string): string {
    const known = Object.entries(this.#names).find(([, named]) => named === attribute)?.[0]
    const name = known ?? `#n${Object.keys(this.#names).length}`
    this.#names[name] = attribute
    return name
  }

  value(content: number | string): string {
    const name = `:v${Object.keys(this.#values).length}`
    this.#values[name] = content
    return name
  }

  set(attribute: string, content: number | string): void {
    this.#sets.push(`${this.name(attribute)} = ${this.value(content)}`)
  }

  add(attribute: string, amount: number): void {
    this.#adds.push(`${this.name(attribute)} ${this.value(amount)}`)
  }

  require(condition: string): void {
    if (!this.#conditions.includes(condition)) this.#conditions.push(condition)
  }

  /** The row must have this version, and gets the next one. */
  nextVersion(version: number): void {
    if (this.#hasNextVersion) return
    this.#hasNextVersion = true
    this.require(`${this.name('version')} = ${this.value(version)}`)
    this.set('version', version + 1)
  }

  toUpdate(orgId: string) {
    const parts = [
      this.#sets.length > 0 ? `SET ${this.#sets.join(', ')}` : '',
      this.#adds.length > 0 ? `ADD ${this.#adds.join(', ')}` : '',
    ]
    return {
      Key: monthKey(orgId, this.#month),
      UpdateExpression: parts.filter((part) => part !== '').join(' '),
      ConditionExpression: this.#conditions.join(' AND '),
      ExpressionAttributeNames: this.#names,
      ExpressionAttributeValues: this.#values,
    }
  }
}

/** The updates of all rows that a change touches. `token` marks the write, to recognize its repetition. */
export function monthUpdates(
  orgId: string,
  changes: readonly MonthChange[],
  newest: string | undefined,
  bound: Bound,
  token: string,
) {
  const rows = new Map<string, RowUpdate>()
  const rowOf = (month: string): RowUpdate => {
    const row = rows.get(month) ?? new RowUpdate(month)
    rows.set(month, row)
    return row
  }
  for (const change of changes) {
    writeChange(rowOf(change.before.month), change, bound, token)
    const { source, month } = change.before
    if (source) endSource(rowOf(source.month), source, month)
    // A late first record of a month whose successor has a row already.
    if (
      newest &&
      !change.before.isStored &&
      month < newest &&
      !changes.some(({ before }) => before.source?.month === month)
    )
      expireAfter(rowOf(month), newest)
  }
  return [...rows.values()].map((row) => ({ TableName: tableName(), ...row.toUpdate(orgId) }))
}

function writeChange(row: RowUpdate, { before, adds, sets, added }: MonthChange, bound: Bound, token: string) {
  row.set('last', token)
  // The SDK repeats a request when it loses the answer.
  row.require(`(attribute_not_exists(${row.name('last')}) OR ${row.name('last')} <> ${row.value(token)})`)
  if (before.isStored) row.require('attribute_exists(pk)')
  else row.require('attribute_not_exists(pk)')
  const carried = before.isStored ? [] : Object.entries(before.values).filter(([name]) => !sets.has(name))
  for (const [name, value] of [...carried, ...sets]) row.set(name, value)
  for (const [name, amount] of adds) row.add(name, amount)
  if (!before.isStored) row.set('version', 0)
  else if (sets.size > 0) row.nextVersion(before.version)
  for (const [metric, amount] of before.isStored ? added : []) {
    const used = row.name(attributes.used(metric))
    row.require(`(attribute_not_exists(${used}) OR ${used} <= ${row.value(bound(metric) - amount)})`)
  }
}

/** The month that levels come from must still have them, and a late change of it must see its successor. Its row is not needed once no readable month refers to it. */
function endSource(row: RowUpdate, source: NonNullable<Month['source']>, successor: string): void {
  if (source.version !== undefined) row.nextVersion(source.version)
  expireAfter(row, successor)
}

const expireAfter = (row: RowUpdate, successor: string): void =>
  row.set('expires_at_epoch', startOf(addMonths(successor, readableMonths + 1)).getTime() / 1000)

/** The condition that a month has no row yet. */
export const requireAbsent = (orgId: string, month: string) => ({
  ConditionCheck: {
    TableName: tableName(),
    Key: monthKey(orgId, month),
    ConditionExpression: 'attribute_not_exists(pk)',
  },
})
