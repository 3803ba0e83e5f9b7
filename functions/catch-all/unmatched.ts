import { isPreflight, preflightAnswer } from '../../shared/http/cors.ts'
import { nearestPath } from '../../shared/http/nearest-path.ts'
import { matchPath } from '../../shared/http/route.ts'
import { servePublic } from '../../shared/http/serve-public.ts'
import { ProblemError } from '../../shared/problem.ts'
import { unmatched } from '../meta/contract.ts'
import { pathsBeside, routeList } from '../operations.ts'

/** Answers a preflight, a wrong method with 405, and a wrong path with 404. */
export const handler = servePublic(unmatched, ({ method, path, headers }) => {
  const matching = routeList.filter(({ route }) => matchPath(route.path, path))
  if (isPreflight(method, headers)) return preflightAnswer(matching, headers)
  if (matching.length === 0) throw unknownPath(path)
  const methods: string[] = matching.map(({ route }) => route.method)
  // The gateway matches encoded paths. A path that matches only after decoding has no operation.
  if (methods.includes(method)) throw unknownPath(path)
  const allow = [...new Set(methods)].sort().join(', ')
  throw new ProblemError('method_not_allowed', `${method} is not allowed here; this path takes ${allow}.`, {
    headers: { allow },
  })
})

const unknownPath = (path: string): ProblemError => {
  const near = nearestPath(path, pathsBeside(path))
  const hint = near === undefined ? '/api/v1/docs lists all paths.' : `did you mean ${near}?`
  return new ProblemError('not_found', `No operation has this path; ${hint}`)
}
