/** Which path a misspelled one may have meant. */
import { nearest } from '../faults.ts'

/** A longer path is no typo of ours. */
const maxPathLength = 200

/** What the paths of the API begin with; a caller may have left it out. */
const prefix = /^\/(?:api\/)?(?:v\d+\/)?(?:settings\/)?/

/** The template that a path may have meant. Where a template has a parameter, any segment is right. */
export function nearestPath(path: string, templates: readonly string[]): string | undefined {
  if (path.length > maxPathLength) return undefined
  const given = path.replace(prefix, '').split('/').filter(Boolean)
  const byPath = new Map<string, string>()
  for (const template of templates) {
    const parts = template.replace(prefix, '').split('/')
    // A template of parameters alone would be near to everything.
    if (parts.length !== given.length || parts.every((part) => part.startsWith('{'))) continue
    byPath.set(parts.map((part, index) => (part.startsWith('{') ? given[index] : part)).join('/'), template)
  }
  const near = nearest(given.join('/'), [...byPath.keys()])
  return near === undefined ? undefined : byPath.get(near)
}
