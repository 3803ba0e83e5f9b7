/** Schemas as validators and generators of every language can read them. */
import type * as z from 'zod'
import { modelIdPattern } from '../shared/providers/model-id.ts'

/**
 * Patterns that other languages' validators cannot read (lookahead, Unicode classes), each with the portable one that the
 * document has in its place. The service keeps the strict rule; the description says what the portable one cannot.
 */
const portablePatterns: Readonly<Record<string, string>> = {
  [modelIdPattern.source]: '^[^\\s]([^\\x00-\\x1f\\x7f]*[^\\s])?$',
  '^[#@]?[\\p{L}\\p{M}\\p{N}_.-]{1,80}$': '^[#@]?[^\\s#@]{1,80}$',
  '^(?=.{3,200}$)\\p{L}[\\p{L}\\p{M}\\p{N}_./-]*:[\\p{L}\\p{M}\\p{N}_./:-]+$': '^[^\\s:]+:[^\\s]+$',
}

/** A mask that is sent back is refused by the service, with words of its own. */
const withoutEscapes = (pattern: string): string => pattern.replaceAll('\\u2026', '')

/** Formats that say all that Zod's pattern of 200 characters beside them does. */
const tellingFormats: readonly unknown[] = ['date-time', 'date', 'email', 'uri', 'uuid', 'ipv4', 'ipv6']

/** A string as people read it: by its format, or by a pattern that every language can read. */
export function simplify(schema: z.core.JSONSchema.BaseSchema): void {
  if (tellingFormats.includes(schema.format) && !schema.pattern?.startsWith('^(http')) delete schema.pattern
  if (schema.pattern !== undefined) schema.pattern = portable(schema.pattern)
  withProperties(schema)
  asOneText(schema)
}

/** The same of a schema with all that is in it, and without what is no part of OpenAPI. */
export function portableSchema(schema: z.core.JSONSchema.BaseSchema): Readonly<Record<string, unknown>> {
  const { $schema: _dialect, ...rest } = schema
  return JSON.parse(JSON.stringify(rest), (_key, value) => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) simplify(value)
    return value
  })
}

const portable = (pattern: string): string => portablePatterns[pattern] ?? withoutEscapes(pattern)

/** A record with known names becomes an object with those properties. Any other loses its rule about names. */
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

/** A range of addresses of either kind is one text. */
function asOneText(schema: z.core.JSONSchema.BaseSchema): void {
  if (!schema.anyOf?.every((part) => String((part as { format?: string }).format).startsWith('cidrv'))) return
  delete schema.anyOf
  schema.type = 'string'
  schema.format = 'cidr'
}

/** `z.json()` is a schema that contains itself, under a made-up name; `{}` says the same, and type generators can read it. */
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
  // The same document but for those references.
  return JSON.parse(text) as T
}
