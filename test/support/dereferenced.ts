/** The document with every schema in the place of the references to it. */
import openapi from '../../docs/openapi.json' with { type: 'json' }

const schemas: Readonly<Record<string, unknown>> = openapi.components.schemas

function inPlace(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(inPlace)
  const { $ref, ...rest } = value as { $ref?: string }
  const name = $ref?.replace('#/components/schemas/', '') ?? ''
  // A reference can have a description for the place of its use.
  if (name in schemas) return { ...(inPlace(schemas[name]) as object), ...rest }
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, inPlace(part)]))
}

interface Content {
  content: { 'application/json': { schema: object } }
}
type Documented = { requestBody: Content; responses: Record<'200' | '201', Content> }

type Path = keyof typeof openapi.paths

/** Its paths, with the members that tests read. */
export const dereferencedPaths = inPlace(openapi.paths) as Record<Path, Record<'get' | 'post' | 'patch', Documented>>
