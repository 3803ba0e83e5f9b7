/** The reference for a new reader: it explains every field that a request may hold, in plain words. */
import { describe, expect, test } from 'vitest'
import { openApiDocument } from '../../docs/openapi.ts'
import { operationList } from '../../functions/operations.ts'

interface Schema {
  $ref?: string
  type?: string
  format?: string
  pattern?: string
  description?: string
  properties?: Record<string, Schema>
  additionalProperties?: Schema | boolean
  items?: Schema
  anyOf?: Schema[]
  oneOf?: Schema[]
  allOf?: Schema[]
}

const document = openApiDocument()
const schemas = (document.components?.schemas ?? {}) as Record<string, Schema>

const resolved = (schema: Schema): Schema =>
  schema.$ref ? (schemas[schema.$ref.replace('#/components/schemas/', '')] ?? {}) : schema

/** Every schema inside one, itself among them, with the path that leads to it. */
function* within(schema: Schema, path: string): Generator<[string, Schema]> {
  yield [path, schema]
  const { properties = {}, items, additionalProperties, anyOf = [], oneOf = [], allOf = [] } = resolved(schema)
  for (const [name, property] of Object.entries(properties)) yield* within(property, `${path}.${name}`)
  if (items) yield* within(items, `${path}[]`)
  if (typeof additionalProperties === 'object') yield* within(additionalProperties, `${path}{}`)
  for (const part of [...anyOf, ...oneOf, ...allOf]) yield* within(part, path)
}

/** The names of the properties of a request without a description. */
function unexplained(schema: Schema): string[] {
  return [...within(schema, '')].flatMap(([path, { properties = {} }]) =>
    Object.entries(properties)
      .filter(([, property]) => !(property.description ?? resolved(property).description))
      .map(([name]) => `${path}.${name}`),
  )
}

interface Described {
  parameters?: { name: string; description?: string }[]
  requestBody?: { content: Record<string, { schema: Schema }> }
}

describe.each(operationList)('%s', (_name, { path, method }) => {
  const operation = (document.paths?.[path] as Record<string, Described> | undefined)?.[method.toLowerCase()]

  test('every parameter and every field of the body says what it is for', () => {
    expect(operation).toBeDefined()
    const { parameters = [], requestBody } = operation ?? {}
    expect(parameters.filter(({ description }) => !description).map(({ name }) => name)).toEqual([])
    for (const { schema } of Object.values(requestBody?.content ?? {})) expect(unexplained(schema)).toEqual([])
  })
})

test('a format or one pattern describes a text', () => {
  const texts = [...JSON.stringify(document).matchAll(/"pattern":"((?:[^"\\]|\\.)*)"/g)].map(([, pattern]) => pattern)
  expect(texts.length).toBeGreaterThan(5)
  expect(JSON.stringify(document)).not.toMatch(/"allOf":\[\{"pattern"/)
  expect(JSON.stringify(document)).not.toMatch(/"format":"(date-time|email)","pattern"/)
  const { pattern = '' } = schemas.ApiKeysCreateRequest?.properties?.name ?? {}
  for (const text of ['a', ' a ', 'ä\u2028']) expect(text).toMatch(new RegExp(pattern, 'u'))
  for (const text of ['', ' ', 'a\n', '\u0000']) expect(text).not.toMatch(new RegExp(pattern, 'u'))
})

test('every group of operations says what it is for', () => {
  for (const { name, description } of document.tags ?? []) expect(description, name).toMatch(/^[A-Z].*\.$/)
})

describe('operations come in the order in which they are looked for', () => {
  test('the document has those of each group in the order of functions/operations.ts', () => {
    const inDocument = Object.entries(document.paths ?? {}).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    )
    const isOf = (tag: string) => (route: string) =>
      operationList.some(([, operation]) => operation.route === route && operation.tag === tag)
    for (const tag of new Set(operationList.map(([, operation]) => operation.tag))) {
      const declared = operationList.map(([, { route }]) => route).filter(isOf(tag))
      // A path holds its methods together, so an operation of the same path may come earlier than declared.
      expect(inDocument.filter(isOf(tag)).toSorted(), tag).toEqual(declared.toSorted())
      expect(firstOfEachPath(inDocument.filter(isOf(tag))), `the order of ${tag} in functions/operations.ts`).toEqual(
        firstOfEachPath(declared),
      )
    }
  })

  const firstOfEachPath = (routes: readonly string[]): string[] => [
    ...new Set(routes.map((route) => route.split(' ')[1] ?? '')),
  ]

  test.each(['cloud-connections', 'cloud-credentials', 'integrations', 'execution'])('of %s', (resource) => {
    const kinds = ['list', 'create', 'get', 'update', 'delete']
    const verbs = operationList
      .map(([name]) => name)
      .filter((name) => name.startsWith(`${resource}/`) && (resource !== 'execution' || /local-target/.test(name)))
      // Deliveries are a list below an integration.
      .filter((name) => !/deliver/.test(name))
      .map((name) => kinds.indexOf(name.split('/')[1]?.split('-')[0] ?? ''))
      .filter((place) => place >= 0)
    expect(verbs).toEqual([0, 1, 2, 3, 4])
  })
})
