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
  const naming = new Naming(schemas)
  for (const [name, schema] of Object.entries(schemas)) naming.inside(name, schema)
  const operations = Object.values(paths).flatMap(Object.values<Operation>)
  for (const { operationId = '', requestBody, responses = {} } of operations) {
    const id = pascal(operationId)
    naming.content(`${id}Request`, requestBody)
    for (const [status, response] of Object.entries(responses))
      if (Number(status) < 300) naming.content(`${id}Answer`, response)
  }
  return document
}

/** Moves unnamed objects to the components. */
class Naming {
  readonly #components: Record<string, Schema>

  constructor(components: Record<string, Schema>) {
    this.#components = components
  }

  content(name: string, { content = {} }: Content = {}): void {
    for (const media of Object.values(content)) if (media.schema) media.schema = this.#named(name, media.schema)
  }

  inside(name: string, schema: Schema): void {
    const { properties = {}, items, additionalProperties } = schema
    for (const [field, part] of Object.entries(properties))
      properties[field] = this.#named(`${name}${pascal(field)}`, part)
    if (items) schema.items = this.#named(`${name}Item`, items)
    if (typeof additionalProperties === 'object')
      schema.additionalProperties = this.#named(`${name}Value`, additionalProperties)
    for (const variants of [schema.anyOf, schema.oneOf, schema.allOf]) this.#variants(name, variants)
  }

  /** If exactly one variant is an object (the others null or text), it gets the name of the whole. */
  #variants(name: string, variants: Schema[] = []): void {
    const objects = variants.filter(({ properties }) => properties)
    for (const [index, variant] of variants.entries())
      variants[index] = this.#named(objects.length > 1 ? `${name}${index + 1}` : name, variant)
  }

  /** An object becomes a component, and its reference stands in its place. */
  #named(name: string, schema: Schema): Schema {
    if (schema.properties || schema.oneOf) return this.#lift(name, schema)
    this.inside(name, schema)
    return schema
  }

  #lift(name: string, schema: Schema): Schema {
    if (this.#components[name]) throw new Error(`two parts of the document would be named ${name}`)
    this.#components[name] = schema
    this.inside(name, schema)
    return { $ref: `#/components/schemas/${name}` }
  }
}
