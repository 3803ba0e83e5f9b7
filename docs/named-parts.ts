/** Names every object of the document, so that generators create one type with that name in every language. */

interface Schema {
  $ref?: string
  type?: string | string[]
  properties?: Record<string, Schema>
  additionalProperties?: Schema | boolean
  items?: Schema
  anyOf?: Schema[]
  oneOf?: Schema[]
  allOf?: Schema[]
}

interface Content {
  content?: Record<string, { schema?: Schema }>
}

interface Operation {
  operationId?: string
  requestBody?: Content
  responses?: Record<string, Content>
}

interface Document {
  paths?: Record<string, Record<string, Operation>>
  components?: { schemas?: Record<string, Schema> }
}

/** `settings.create-integration` as part of a type's name: `CreateIntegration`; `next_cursor`: `NextCursor`. */
const pascal = (name: string): string =>
  name
    .replace(/^settings\./, '')
    .replaceAll(/(?:^|[^A-Za-z0-9]+)([a-z0-9])/g, (_all, letter: string) => letter.toUpperCase())

/** Changes the document: bodies and their objects become components, named after their path in the document. */
export function withNamedParts<T>(document: T): T {
  // The same document, typed for this file.
  const { paths = {}, components = {} } = document as Document
  const { schemas = {} } = components

  const lift = (name: string, schema: Schema): Schema => {
    if (schemas[name]) throw new Error(`two parts of the document would be named ${name}`)
    schemas[name] = schema
    nameInside(name, schema)
    return { $ref: `#/components/schemas/${name}` }
  }
  /** Moves an unnamed object schema to the components and returns its reference. */
  const named = (name: string, schema: Schema): Schema => {
    if (schema.properties || schema.oneOf) return lift(name, schema)
    nameInside(name, schema)
    return schema
  }
  const nameInside = (name: string, schema: Schema): void => {
    const { properties = {}, items, additionalProperties } = schema
    for (const [field, part] of Object.entries(properties)) properties[field] = named(`${name}${pascal(field)}`, part)
    if (items) schema.items = named(`${name}Item`, items)
    if (typeof additionalProperties === 'object')
      schema.additionalProperties = named(`${name}Value`, additionalProperties)
    for (const variants of [schema.anyOf, schema.oneOf, schema.allOf]) nameVariants(name, variants)
  }
  /** If exactly one variant is an object (the others null or text), it gets the name of the whole. */
  const nameVariants = (name: string, variants: Schema[] = []): void => {
    const objects = variants.filter(({ properties }) => properties)
    for (const [index, variant] of variants.entries())
      variants[index] = named(objects.length > 1 ? `${name}${index + 1}` : name, variant)
  }

  const nameContent = (name: string, { content = {} }: Content = {}): void => {
    for (const media of Object.values(content)) if (media.schema) media.schema = named(name, media.schema)
  }

  for (const [name, schema] of Object.entries(schemas)) nameInside(name, schema)
  for (const { operationId = '', requestBody, responses = {} } of Object.values(paths).flatMap(
    Object.values<Operation>,
  )) {
    const id = pascal(operationId)
    nameContent(`${id}Request`, requestBody)
    for (const [status, response] of Object.entries(responses))
      if (Number(status) < 300) nameContent(`${id}Answer`, response)
  }
  return document
}
