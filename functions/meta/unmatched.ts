import { ProblemError } from '../../shared/http/problem.ts'
import { matchPath } from '../../shared/http/route.ts'
import { servePublic } from '../../shared/http/serve-public.ts'
import { operationList } from '../operations.ts'
import { unmatched } from './contract.ts'

/** Tells a wrong method from a wrong path. */
export const handler = servePublic(unmatched, ({ method, path }) => {
  const methods = operationList.filter(([, { path: template }]) => matchPath(template, path)).map(([, o]) => o.method)
  if (methods.length === 0) {
    throw new ProblemError('not_found', 'No operation has this path; /api/v1/docs lists those that there are.')
  }
  const allow = [...new Set(methods.flatMap((taken) => (taken === 'GET' ? [taken, 'HEAD'] : [taken])))]
    .sort()
    .join(', ')
  throw new ProblemError('method_not_allowed', `${method} is not allowed here; this path takes ${allow}.`, {
    headers: { allow },
  })
})
