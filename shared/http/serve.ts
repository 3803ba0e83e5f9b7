/** Operations with a caller: admission, denied attempts, idempotency and commits. */

import type { RequestContext } from '../audit/request-context.ts'
import { actorOf, type Caller, principalOf } from '../auth/caller.ts'
import { keyTypeScopes, missingScopes, serviceKeyScopes } from '../auth/scopes.ts'
import { isId } from '../ids.ts'
import { ProblemError, requestTimeout } from '../problem.ts'
import { log } from '../runtime/log.ts'
import { commit, type Mutation, pauseBeforeNext, StaleReadError } from '../storage/commit.ts'
import { actForNamedOrg } from './act-for-named-org.ts'
import type { Answer } from './answer.ts'
import { authenticate } from './authenticate.ts'
import { authorize } from './authorize.ts'
import { recordDenied } from './denied-attempts.ts'
import type { Exchange } from './exchange.ts'
import { type IdempotencyHold, isReplay, onceOnly } from './idempotency.ts'
import type { AnswerOf, ExactAnswer, Operation } from './operation.ts'
import { type Hook, type HookRequest, pipeline, type RequestOf, requestOf } from './pipeline.ts'
import { enforceRateLimit } from './rate-limit.ts'

/** The argument of a handler: the validated request, its caller, and `commit`. */
export interface Call<Op extends Operation> extends RequestOf<Op> {
  caller: Caller
  /** The actor, address and id of the request, for the audit events of its commits. */
  context: RequestContext
  /** When the work must end. */
  deadline: Date
  /** Writes a change with its audit event, and returns the answer. Replays do not have its `once`. */
  commit<Given extends Answer>(mutation: Mutation, answer: Given): Promise<Given>
  /** Does work that a second run of the handler must not repeat, such as a call to a provider. Keyed by its inputs. */
  once<T>(dependsOn: readonly unknown[], work: () => Promise<T>): Promise<T>
}

/** Serves one request of an operation. `run` calls it again after a stale read. */
type Handler<Op extends Operation, Given extends Answer> = (
  call: Call<Op>,
) => Promise<ExactAnswer<Op, Given>> | ExactAnswer<Op, Given>

/** The Lambda handler of an operation that needs a credential. */
export const serve = <Op extends Operation, Given extends AnswerOf<Op>>(operation: Op, handler: Handler<Op, Given>) =>
  pipeline(operation, [admission(operation), deniedAttempts(operation)], async (exchange) => {
    await actForNamedOrg(exchange)
    const caller = callerOf(exchange)
    return onceOnly(operation, caller, exchange, (hold) => run(handler, exchange, caller, hold))
  })

/** Public operations have no caller; serve them by `servePublic`. */
function callerOf({ caller }: Exchange): Caller {
  if (!caller) throw new TypeError('an operation with a caller must not be public')
  return caller
}

/** Authentication, rate limit, authorization: 401, then 429, then 403. */
function admission(operation: Operation): Hook {
  return {
    before: ({ event: exchange }) => withinDeadline(exchange, admit(operation, exchange)),
  }
}

async function admit(operation: Operation, exchange: Exchange): Promise<void> {
  await authenticate(operation, exchange)
  await enforceRateLimit(exchange)
  if (exchange.caller) await authorize(operation, exchange.caller, exchange)
}

/** Hooks need their own time-out: middy's covers the handler only, and a table may hang. */
async function withinDeadline(exchange: Exchange, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const outOfTime = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(requestTimeout()), Math.max(0, exchange.deadline.getTime() - Date.now()))
  })
  await Promise.race([work, outOfTime]).finally(() => clearTimeout(timer))
}

/** Records a 403 on a mutation. A failure to record it must not change the answer. */
function deniedAttempts(operation: Operation): Hook {
  const { audit } = operation
  const record = async ({ event: exchange, error }: HookRequest) => {
    const { caller } = exchange
    if (!audit || !caller || !(error instanceof ProblemError) || error.code !== 'forbidden' || isReplay(error)) return
    if (neverHolds(operation, caller)) {
      log.warn('a key was used for an operation that its type never allows', {
        request_id: exchange.requestId,
        action: audit.action,
      })
      return
    }
    const id = audit.param ? exchange.pathParameters[audit.param] : settingsOf(operation, caller)
    const denied: Mutation = {
      action: audit.action,
      resource: { type: audit.resource, ...(id !== undefined && isId(id) ? { id } : {}) },
      result: 'denied',
      diff: [],
      writes: [],
    }
    try {
      await recordDenied(denied, requestContextOf(exchange, caller), principalOf(caller), exchange.deadline)
    } catch (failure) {
      log.error('a denied attempt was not recorded', { request_id: exchange.requestId, error: failure as Error })
    }
  }
  return { onError: record }
}

/** Publishable keys are public. Attempts that their type never allows must not fill the trail. */
const neverHolds = ({ scope }: Operation, caller: Caller): boolean =>
  caller.kind !== 'user' &&
  scope !== 'any' &&
  scope !== 'public' &&
  missingScopes([scope], caller.kind === 'service' ? serviceKeyScopes : keyTypeScopes[caller.keyType]).length > 0

/** Settings have the id of their org. A resource that does not exist yet has no id. */
const settingsOf = ({ method }: Operation, { orgId }: Caller): string | undefined =>
  method === 'POST' ? undefined : orgId

const requestContextOf = (exchange: Exchange, caller: Caller): RequestContext => ({
  orgId: caller.orgId,
  actor: actorOf(caller),
  now: exchange.now,
  requestId: exchange.requestId,
  ip: exchange.ip,
  userAgent: exchange.userAgent,
})

/** Runs the handler. After a stale read, runs it again with fresh reads, until the deadline. */
async function run<Op extends Operation, Given extends Answer>(
  handler: Handler<Op, Given>,
  exchange: Exchange,
  caller: Caller,
  hold: IdempotencyHold | undefined,
): Promise<Answer> {
  const context = requestContextOf(exchange, caller)
  const { deadline } = exchange
  const done = new Map<string, Promise<unknown>>()
  const call: Call<Op> = {
    ...requestOf<Op>(exchange),
    caller,
    context,
    deadline,
    once: <T>(dependsOn: readonly unknown[], work: () => Promise<T>) => {
      const key = JSON.stringify(dependsOn)
      const result = (done.get(key) as Promise<T> | undefined) ?? work()
      done.set(key, result)
      return result
    },
    commit: async (mutation, answer) => {
      const writes = hold ? [...mutation.writes, hold.keepWith(answer)] : mutation.writes
      await commit({ ...mutation, writes }, context, deadline)
      hold?.kept()
      return answer
    },
  }
  for (let attempt = 0; ; attempt++) {
    try {
      return await handler(call)
    } catch (error) {
      if (!(error instanceof StaleReadError)) throw error
      await pauseBeforeNext(attempt, deadline, error)
    }
  }
}
