/**
 * A record with its fields in the order in which people read them, and those of objects inside sorted. A table hands both
 * back in any order, and one resource with one strong `ETag` must be the same bytes every time.
 */
export function inOrder<T extends object, Name extends keyof T>(order: readonly Name[], record: T): Pick<T, Name> {
  return Object.fromEntries(order.filter((name) => name in record).map((name) => [name, sorted(record[name])])) as Pick<
    T,
    Name
  >
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([name, part]) => [name, sorted(part)]))
}
