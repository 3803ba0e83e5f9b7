import { principalOf } from '../../shared/auth/caller.ts'
import { ok } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { takeUsage } from '../../shared/usage/take.ts'
import { recordUsage } from './contract.ts'

/** Counts the records of the body for the organization of the request. */
export const handler = serve(recordUsage, async ({ caller, body, headers, context, deadline }) => {
  const key = headers['idempotency-key']
  const idempotency = key === undefined ? undefined : { principal: principalOf(caller), key }
  return ok(await takeUsage(body, { context, deadline, idempotency }))
})
