/**
 * Orders the fields of a record for readers, and sorts the fields of nested objects. DynamoDB returns fields in any
 * order, but a resource with a strong `ETag` must have the same bytes every time. Drops fields that `order` does not
 * name.
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
