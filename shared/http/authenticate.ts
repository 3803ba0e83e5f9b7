/** Sets the caller of a request. */
import type { Caller } from '../auth/caller.ts'
import { rulesOf, sessionFault } from '../org-settings/access-rules.ts'
import { ProblemError } from '../problem.ts'
import { withClientCredential } from './client-authentication.ts'
import type { Exchange } from './exchange.ts'
import { identify } from './identify.ts'
import type { Operation } from './operation.ts'
import { countRequest } from './rate-limit.ts'

/**
 * Sets the caller. Counting the request and reading the rules of the org start as soon as the principal is known.
 *
 * @throws ProblemError those of `identify`, and `token_expired` for a session that is too old
 */
export async function authenticate({ clientAuthentication }: Operation, exchange: Exchange): Promise<void> {
  const { now } = exchange
  const headers = clientAuthentication ? withClientCredential(exchange.headers) : exchange.headers
  const { caller: identified, noted, ...counted } = await identify(headers, now)
  exchange.noted = noted
  exchange.rateCount = countRequest(counted, now)
  startReadingRules(counted.orgId, now)
  const caller = await identified
  exchange.caller = caller
  // The limit was raised since this process read it. The earlier count may have been refused without a write.
  if (caller.rateLimitPerMinute > counted.limit)
    exchange.rateCount = countRequest({ ...counted, limit: caller.rateLimitPerMinute }, now)
  await refuseOldSession(caller, now)
}

/** Ignore a failure here: the later `await` of the rules rejects too. */
const startReadingRules = (orgId: string, now: Date): void => void rulesOf(orgId, now).catch(() => {})

/** Only people have sessions: a key needs no read of the rules before its rate limit is checked. */
async function refuseOldSession(caller: Caller, now: Date): Promise<void> {
  const fault = caller.kind === 'user' && sessionFault(caller, await rulesOf(caller.orgId, now), now)
  if (fault) throw new ProblemError('token_expired', fault)
}
