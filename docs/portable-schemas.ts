/** Makes schemas readable for validators and generators of every language. */
import type * as z from 'zod'
import { modelIdPattern } from '../shared/providers/model-id.ts'

/**
 * Patterns that other languages' validators cannot read (lookahead, Unicode classes), each with its portable replacement in the
 * document. The service enforces the strict rule; the description states the difference.
 */
const portablePatterns: Readonly<Record<string, string>> = {
  [modelIdPattern.source]: '^[^\\s]([^\\x00-\\x1f\\x7f]*[^\\s])?$',
  '^[#@]?[\\p{L}\\p{M}\\p{N}_.-]{1,80}$': '^[#@]?[^\\s#@]{1,80}$',
  '^(?=.{3,200}$)\\p{L}[\\p{L}\\p{M}\\p{N}_./-]*:[\\p{L}\\p{M}\\p{N}_./:-]+$': '^[^\\s:]+:[^\\s]+$',
}

/** Drops `…`, the mask character, from patterns: the service refuses a mask with a clearer message. */
const withoutEscapes = (pattern: string): string => pattern.replaceAll('\\u2026', '')

/** Formats that make Zod's 200-character pattern redundant. */
const tellingFormats: readonly unknown[] = ['date-time', 'date', 'email', 'uri', 'uuid', 'ipv4', 'ipv6']

/** Replaces patterns by formats or portable patterns, in place. */
export function simplify(schema: z.core.JSONSchema.BaseSchema): void {
  if (tellingFormats.includes(schema.format) && !schema.pattern?.startsWith('^(http')) delete schema.pattern
  if (schema.pattern !== undefined) schema.pattern = portable(schema.pattern)
  withProperties(schema)
  asOneText(schema)
}

/** Simplifies a schema and its parts, and drops `$schema`, which OpenAPI does not use. */
export function portableSchema(schema: z.core.JSONSchema.BaseSchema): Readonly<Record<string, unknown>> {
  const { $schema: _dialect, ...rest } = schema
  return JSON.parse(JSON.stringify(rest), (_key, value) => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) simplify(value)
    return value
  })
}

const portable = (pattern: string): string => portablePatterns[pattern] ?? withoutEscapes(pattern)

/** Turns a record with known names into an object with those properties. Other records lose `propertyNames`. */
function withProperties(schema: z.core.JSONSchema.BaseSchema): void {
  const { propertyNames, additionalProperties } = schema
  if (propertyNames === undefined) return
  delete schema.propertyNames
  const names = (propertyNames as { enum?: string[] }).enum
  if (!names || typeof additionalProperties !== 'object') return
  schema.properties = Object.fromEntries(names.map((name) => [name, additionalProperties]))
  schema.required = names
  schema.additionalProperties = false
}

/** An IPv4 or IPv6 range becomes one string format. */
function asOneText(schema: z.core.JSONSchema.BaseSchema): void {
  if (!schema.anyOf?.every((part) => String((part as { format?: string }).format).startsWith('cidrv'))) return
  delete schema.anyOf
  schema.type = 'string'
  schema.format = 'cidr'
}

/** `z.json()` becomes a recursive schema with a generated name. `{}` means the same, and type generators can read it. */
export function withAnyJson<T extends { components?: { schemas?: object } }>(document: T): T {
  const { schemas = {} } = document.components ?? {}
  const madeUp = (name: string): boolean => /^__schema\d+$/.test(name)
  const named = Object.fromEntries(Object.entries(schemas).filter(([name]) => !madeUp(name)))
  const isMadeUpRef = (value: unknown): boolean =>
    typeof value === 'object' &&
    value !== null &&
    '$ref' in value &&
    madeUp(String(value.$ref).replace('#/components/schemas/', ''))
  const text = JSON.stringify({ ...document, components: { ...document.components, schemas: named } }, (_key, value) =>
    isMadeUpRef(value) ? {} : value,
  )
  // The same document except for those references.
  return JSON.parse(text) as T
}
