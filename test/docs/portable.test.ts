/** The document is read by validators and generators of other languages, which know less than Zod. */
import { describe, expect, test } from 'vitest'
import openapi from '../../docs/openapi.json' with { type: 'json' }

interface Found {
  path: string
  schema: Record<string, unknown>
}

function* objectsIn(value: unknown, path = '#'): Generator<Found> {
  if (typeof value !== 'object' || value === null) return
  if (!Array.isArray(value)) yield { path, schema: value as Record<string, unknown> }
  for (const [name, part] of Object.entries(value)) yield* objectsIn(part, `${path}/${name}`)
}

const all = [...objectsIn(openapi.paths), ...objectsIn(openapi.components.schemas)]

describe('no schema has', () => {
  test('a pattern with lookahead, Unicode classes, escapes beyond ASCII, or more than 1,000 repeats', () => {
    const patterns = all.filter(({ schema }) => typeof schema.pattern === 'string')
    expect(patterns.length).toBeGreaterThan(20)
    const odd = patterns.filter(({ schema }) => /\(\?[^:]|\\[pPu]|\{\d{4,}/.test(String(schema.pattern)))
    expect(odd.map(({ path, schema }) => [path, schema.pattern])).toEqual([])
    for (const { path, schema } of patterns) expect(() => new RegExp(String(schema.pattern)), path).not.toThrow()
  })

  test('names of properties as a rule, or null as its only value', () => {
    const odd = all.filter(({ schema }) => 'propertyNames' in schema || schema.type === 'null')
    expect(odd.map(({ path }) => path).filter((path) => !/\/(?:anyOf|oneOf)\/\d+$/.test(path))).toEqual([])
  })
})

test('each object has a name: the body of a request, of an answer, and each part of one', () => {
  const inline = all.filter(({ path, schema }) => 'properties' in schema && !/^#\/[^/]+$/.test(path))
  const odd = inline.filter(({ path }) => !/\/(?:if|then|else|not)$|\/examples?\/|\/properties$/.test(path))
  expect(odd.map(({ path }) => path)).toEqual([])
})

test('each type of integration is a named schema, selected by a discriminator', () => {
  const { Integration, CreateIntegrationRequest: body } = openapi.components.schemas
  for (const schema of [body, Integration] as { oneOf: object[]; discriminator?: { mapping: object } }[]) {
    expect(schema.oneOf.every((variant) => '$ref' in variant)).toBe(true)
    expect(Object.keys(schema.discriminator?.mapping ?? {})).toHaveLength(schema.oneOf.length)
  }
})

test('scopes are one enum, and no security scheme is named like a schema', () => {
  expect(openapi.components.schemas.Scope.enum).toContain('keys:read')
  const names = Object.keys(openapi.components.schemas).map((name) => name.toLowerCase())
  for (const scheme of Object.keys(openapi.components.securitySchemes))
    expect(names).not.toContain(scheme.toLowerCase())
})

test('a raw key is not required of an answer: the replay of a creation has none', () => {
  expect(openapi.components.schemas.IssuedApiKey.required).not.toContain('api_key')
  expect(openapi.components.schemas.IssuedApiKey.properties.api_key.description).toContain('replay')
})
