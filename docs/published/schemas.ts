/** The records that the platform publishes (`wire.json`), as JSON Schema. */
import wire from './wire.json' with { type: 'json' }

type Type =
  | string
  | { nullable: Type }
  | { list_of: Type }
  | { map_of: Type }
  | { record: string }
  | { enum: (string | null)[] }

interface Field {
  type: Type
  required?: boolean
  default?: unknown
  min_length?: number
  max_length?: number
  ge?: number
  le?: number
}

export type JsonSchema = Readonly<Record<string, unknown>>

const formats: readonly string[] = ['date-time', 'uri']

function schemaOfType(type: Type): JsonSchema {
  if (typeof type === 'string') {
    if (type === 'any') return {}
    return formats.includes(type) ? { type: 'string', format: type } : { type }
  }
  if ('nullable' in type) return { anyOf: [schemaOfType(type.nullable), { type: 'null' }] }
  if ('list_of' in type) return { type: 'array', items: schemaOfType(type.list_of) }
  if ('map_of' in type) return { type: 'object', additionalProperties: schemaOfType(type.map_of) }
  if ('record' in type) return { $ref: `#/components/schemas/${type.record}` }
  // Null is a separate type beside the enum, as for every other nullable type.
  return { type: 'string', enum: [...type.enum.filter((value) => value !== null), ...missingOf(type.enum)] }
}

/**
 * The platform's plan table and requests contain `team`, but the plans in its answers do not: a known contradiction of the published
 * contract.
 */
const missingOf = (values: readonly (string | null)[]): string[] =>
  values.includes('starter') && !values.includes('team') ? ['team'] : []

function schemaOfField({ type, min_length, max_length, ge, le, default: fallback }: Field): JsonSchema {
  const isList = typeof type === 'object' && 'list_of' in type
  return {
    ...schemaOfType(type),
    ...(min_length === undefined ? {} : { [isList ? 'minItems' : 'minLength']: min_length }),
    ...(max_length === undefined ? {} : { [isList ? 'maxItems' : 'maxLength']: max_length }),
    ...(ge === undefined ? {} : { minimum: ge }),
    ...(le === undefined ? {} : { maximum: le }),
    ...(fallback === undefined ? {} : { default: fallback }),
  }
}

// TypeScript infers the types of the file's single values, not of the format.
const records = wire.records as unknown as Record<string, { fields: Record<string, Field> }>

/** Each record as a closed object, by its published name. */
export const publishedSchemas: Readonly<Record<string, JsonSchema>> = Object.fromEntries(
  Object.entries(records).map(([name, { fields }]) => [
    name,
    {
      type: 'object',
      properties: Object.fromEntries(Object.entries(fields).map(([field, spec]) => [field, schemaOfField(spec)])),
      required: Object.entries(fields).flatMap(([field, { required }]) => (required ? [field] : [])),
      additionalProperties: false,
    },
  ]),
)

/** Required members of a request record. */
export const requiredFields = (record: string): string[] =>
  Object.entries(records[record]?.fields ?? {}).flatMap(([field, { required }]) => (required ? [field] : []))
