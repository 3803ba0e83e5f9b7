/** The OpenAPI document of the published face, with the platform's operation ids and records. */
import * as z from 'zod'
import { routeList } from '../functions/operations.ts'
import { type Operation, type Route, routeKeyOf } from '../shared/http/operation.ts'
import type { Published } from '../shared/http/published.ts'
import { problemKinds } from '../shared/problem.ts'
import { isVersioned, refusalsOf } from './answers.ts'
import { documentHead, securitySchemes } from './document-head.ts'
import { gatewayAnswer, gatewayAnswerText, isGatewayStatus } from './gateway-answers.ts'
import { type HeaderName, headersOf, headers as headerTexts } from './headers.ts'
import { portableSchema } from './portable-schemas.ts'
import { type JsonSchema, publishedSchemas } from './published/schemas.ts'

const link = {
  Link: {
    description: 'Next page of a list: `<…>; rel="next"`. Absent on the last page (RFC 8288).',
    schema: { type: 'string' },
    example: '</api/v1/settings/api-keys?cursor=b3JnMTIz>; rel="next"',
  },
}

const schemaRef = (name: string) => ({ $ref: `#/components/schemas/${name}` })
const json = (schema: JsonSchema) => ({ content: { 'application/json': { schema } } })

const headerRefs = (names: readonly (HeaderName | 'Link')[]) => ({
  headers: Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }])),
})

function answersOf(operation: Operation, published: Published) {
  const { records, located } = published
  return Object.entries(operation.answers).map(([text, ours]) => {
    const status = Number(text)
    const names = headersOf(operation, status, [], isVersioned(operation, status)).filter(
      (name) => name !== 'Location' || located,
    )
    const record = records.list ? { type: 'array', items: schemaRef(records.list) } : schemaRef(records.answer ?? '')
    return [
      text,
      {
        description: ours ? 'Success' : 'Done, no content',
        ...headerRefs(records.list ? [...names, 'Link'] : names),
        ...(ours ? json(record) : {}),
      },
    ]
  })
}

function errorsOf(operation: Operation) {
  const byStatus = Map.groupBy(refusalsOf(operation), (code) => problemKinds[code].status)
  return [...byStatus].map(([status, codes]) => [
    String(status),
    {
      description: codes.map((code) => problemKinds[code].title).join('; '),
      ...headerRefs(headersOf(operation, status, codes, false)),
      ...json(schemaRef(isGatewayStatus(status) ? 'ErrorOrGatewayAnswer' : 'ErrorEnvelope')),
    },
  ])
}

/** A body without a published record is described by its validation schema. */
function bodyOf({ records, wire }: Published): JsonSchema | undefined {
  if (records.request) return schemaRef(records.request)
  const body = wire?.().body
  return body && portableSchema(z.toJSONSchema(body, { io: 'input', unrepresentable: 'any' }))
}

function parametersOf(operation: Operation, { path }: Route, published: Published) {
  const query = published.wire?.().query ?? operation.query.omit(operation.query.shape.limit ? { limit: true } : {})
  const named = (place: string, name: string, schema: JsonSchema) => {
    const { description = `Id of the ${name.replace(/_id$/, '').replaceAll('_', ' ')}.`, ...rest } = schema
    return { name, in: place, required: place === 'path', description, schema: rest }
  }
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => named('path', name, { type: 'string' }))
  const inQuery = Object.entries(query.shape).map(([name, field]) =>
    named('query', name, portableSchema(z.toJSONSchema(field as z.ZodType, { io: 'input', unrepresentable: 'any' }))),
  )
  const org = named('query', 'org_id', { type: 'string', description: 'Must match the credential’s organization.' })
  return [...inPath, ...inQuery, ...(path.includes('{org_id}') || query.shape.org_id ? [] : [org])]
}

function describe(operation: Operation, route: Route, published: Published) {
  const body = bodyOf(published)
  return {
    operationId: published.id,
    tags: [operation.tag],
    summary: operation.summary,
    description: `Same operation as \`${operation.id}\` of /api/v2, with the published records. Requires the scope \`${operation.scope}\`.`,
    parameters: parametersOf(operation, route, published),
    ...(body ? { requestBody: { required: !operation.bodyMayBeAbsent, ...json(body) } } : {}),
    responses: Object.fromEntries([...answersOf(operation, published), ...errorsOf(operation)]),
  }
}

/** Every published operation, in the order of the v2 operations. */
export const publishedList = routeList.flatMap(({ name, operation, route }) =>
  route.published && route.method !== 'HEAD' && operation.scope !== 'public'
    ? [{ name, operation, route, published: route.published }]
    : [],
)

const introduction = `The platform's settings and billing operations for its published clients. Every record is closed.

- **Errors** are \`{ "error": { code, message, details?, request_id? } }\`. API Gateway itself can answer any operation with 413, 429, 500 or 503: \`{ "message" }\`.
- **Lists** are arrays of at most 100 entries, newest first. \`Link\` names the next page.
- \`/api/v2\` has **more operations and fields**, served by the same functions.`

/** Components that a text references, directly or through other components. */
function usedOf<T>(components: Readonly<Record<string, T>>, kind: string, text: string, known = 0): Record<string, T> {
  const used = Object.entries(components).filter(([name]) => text.includes(`"#/components/${kind}/${name}"`))
  if (used.length === known) return Object.fromEntries(used)
  return usedOf(components, kind, text + JSON.stringify(used), used.length)
}

const gatewaySchemas = {
  GatewayAnswer: { ...portableSchema(z.toJSONSchema(gatewayAnswer)), description: gatewayAnswerText },
  ErrorOrGatewayAnswer: { oneOf: [schemaRef('ErrorEnvelope'), schemaRef('GatewayAnswer')] },
}

/** The OpenAPI 3.1 document of the published face. */
export function publishedDocument() {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const { operation, route, published } of publishedList) {
    if (paths[route.path]?.[route.method.toLowerCase()]) throw new Error(`two operations at ${routeKeyOf(route)}`)
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: describe(operation, route, published) }
  }
  const text = JSON.stringify(paths)
  return {
    ...documentHead('Octomil settings API, published records', introduction),
    tags: [...new Set(publishedList.map(({ operation }) => operation.tag))].map((name) => ({
      name,
      description: `${name} in the published records.`,
    })),
    paths,
    components: {
      schemas: usedOf({ ...publishedSchemas, ...gatewaySchemas }, 'schemas', text),
      headers: usedOf({ ...headerTexts, ...link }, 'headers', text),
      securitySchemes,
    },
  }
}
