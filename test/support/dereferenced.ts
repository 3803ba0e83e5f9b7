/** The document with every schema in the place of the references to it. */
import openapi from '../../docs/openapi.json' with { type: 'json' }

const schemas: Readonly<Record<string, unknown>> = openapi.components.schemas

function inPlace(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(inPlace)
  const { $ref, ...rest } = value as { $ref?: string }
  const name = $ref?.replace('#/components/schemas/', '') ?? ''
  // Beside a reference stands its description, of the place where it is used.
  if (name in schemas) return { ...(inPlace(schemas[name]) as object), ...rest }
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, inPlace(part)]))
}

/** Its paths, as far as a test names them. */
// biome-ignore lint/suspicious/noExplicitAny: tests read whatever a document holds
export const dereferencedPaths = inPlace(openapi.paths) as Record<string, any>
