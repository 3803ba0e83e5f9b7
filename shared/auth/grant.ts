/** Nobody can give what they do not hold. */
import { ProblemError } from '../http/problem.ts'
import type { Caller } from './caller.ts'
import { missingScopes, type Scope } from './scopes.ts'

/** @throws ProblemError `forbidden`, naming the scopes that the caller lacks */
export function requireGrantable(caller: Caller, scopes: readonly Scope[]): void {
  const missing = missingScopes(scopes, caller.scopes)
  if (missing.length === 0) return
  throw new ProblemError('forbidden', `A caller can grant only scopes it holds; this one lacks ${missing.join(', ')}.`)
}
