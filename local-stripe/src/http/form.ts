/** Decodes forms of Stripe's clients: `a[b][0][c]=d`, with numbered or empty brackets for lists. */
import { invalidRequest } from '../model/api-error.ts'

type FormValue = string | FormValue[] | { [field: string]: FormValue }

type Fields = Map<string, string | Fields>

/** Decodes a form or a query string. */
export function decodeForm(encoded: string): { [field: string]: FormValue } {
  const fields: Fields = new Map()
  for (const [name, value] of new URLSearchParams(encoded)) place(fields, partsOf(name), value)
  return Object.fromEntries([...fields].map(([name, value]) => [name, collapse(value)]))
}

function partsOf(name: string): string[] {
  const open = name.indexOf('[')
  if (open === -1) return [name]
  const inner = [...name.slice(open).matchAll(/\[([^\]]*)\]/g)].map(([, part = '']) => part)
  return [name.slice(0, open), ...inner]
}

const maxDepth = 10

function place(fields: Fields, [first = '', ...rest]: string[], value: string): void {
  if (rest.length > maxDepth) throw invalidRequest('Invalid request: parameters are nested too deeply')
  const name = first === '' ? String(fields.size) : first
  if (rest.length === 0) {
    fields.set(name, value)
    return
  }
  const known = fields.get(name)
  const inner: Fields = known instanceof Map ? known : new Map()
  fields.set(name, inner)
  place(inner, rest, value)
}

/** Numbered fields are a list. */
function collapse(value: string | Fields): FormValue {
  if (typeof value === 'string') return value
  const names = [...value.keys()]
  const isList = names.every((name) => /^\d+$/.test(name))
  if (isList) return [...value].sort(([a], [b]) => Number(a) - Number(b)).map(([, inner]) => collapse(inner))
  return Object.fromEntries([...value].map(([name, inner]) => [name, collapse(inner)]))
}
