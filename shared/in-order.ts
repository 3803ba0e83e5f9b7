/**
 * Orders the fields of a record for readers, and sorts the fields of nested objects. DynamoDB returns fields in any
 * order, but a resource with a strong `ETag` must have the same bytes every time. Drops fields that `order` does not
 * name.
 */
export function inOrder<T extends object, Name extends keyof T>(order: readonly Name[], record: T): Pick<T, Name> {
  const ordered: Partial<Pick<T, Name>> = {}
  for (const name of order) if (name in record) ordered[name] = sorted(record[name])
  return ordered as Pick<T, Name>
}

function sorted<Value>(value: Value): Value
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.some(isObject) ? value.map(sorted) : value
  // Not by assignment, which would lose a member named `__proto__`.
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, part]) => [name, sorted(part)]),
  )
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null
