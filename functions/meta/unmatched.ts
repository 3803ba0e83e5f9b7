import type { Method } from '../../shared/http/operation.ts'
import { ProblemError } from '../../shared/http/problem.ts'
import { matchPath } from '../../shared/http/route.ts'
import { servePublic } from '../../shared/http/serve-public.ts'
import { operationList } from '../operations.ts'
import { unmatched } from './contract.ts'

/** Tells a wrong method from a wrong path. */
export const handler = servePublic(unmatched, ({ method, path }) => {
  const methods = operationList.filter(([, { path: template }]) => matchPath(template, path)).map(([, o]) => o.method)
  // The gateway matches paths as they are sent: one that matches only when it is decoded is another path.
  if (methods.length === 0 || methods.includes(method as Method)) {
    throw new ProblemError('not_found', 'No operation has this path; /api/v1/docs lists those that there are.')
  }
  const allow = [...new Set(methods.flatMap((taken) => (taken === 'GET' ? [taken, 'HEAD'] : [taken])))]
    .sort()
    .join(', ')
  throw new ProblemError('method_not_allowed', `${method} is not allowed here; this path takes ${allow}.`, {
    headers: { allow },
  })
})
