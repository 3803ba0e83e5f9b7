/** Suggests the nearest path for a misspelled one. */
import { nearest } from '../faults.ts'

/** A longer path is not a misspelled path of this API. */
const maxPathLength = 200

/** The common prefix of the API's paths, which a caller may omit. */
const prefix = /^\/(?:api\/)?(?:v\d+\/)?(?:settings\/)?/

/** The template nearest to a path. A parameter of a template matches any segment. */
export function nearestPath(path: string, templates: readonly string[]): string | undefined {
  if (path.length > maxPathLength) return undefined
  const given = path.replace(prefix, '').split('/').filter(Boolean)
  const byPath = new Map<string, string>()
  for (const template of templates) {
    const parts = template.replace(prefix, '').split('/')
    // A template of parameters alone would match any path.
    if (parts.length !== given.length || parts.every((part) => part.startsWith('{'))) continue
    byPath.set(parts.map((part, index) => (part.startsWith('{') ? given[index] : part)).join('/'), template)
  }
  const near = nearest(given.join('/'), [...byPath.keys()])
  return near === undefined ? undefined : byPath.get(near)
}
