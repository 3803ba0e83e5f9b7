/**
 * The same operations as a typical Lambda in Hono and zod: Hono's router, secure headers and zod validator replace our
 * pipeline. Both use the service's authentication, rate limit, scopes, schemas, entities, commit and log, so only the pipeline
 * differs. The Hono function has no idempotency, no deadline, no conditional requests and no record of denied attempts.
 */
import { zValidator } from '@hono/zod-validator'
import { Hono } from 'hono'
import { handle, type LambdaContext, type LambdaEvent } from 'hono/aws-lambda'
import { secureHeaders } from 'hono/secure-headers'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type * as z from 'zod'
import { createApiKey, getApiKey, listApiKeys, listScopes } from '../functions/api-keys/contract.ts'
import { issue } from '../functions/api-keys/issue.ts'
import { getKey } from '../shared/api-keys/find.ts'
import { listKeys } from '../shared/api-keys/list-keys.ts'
import { toKeyView } from '../shared/api-keys/record.ts'
import { actorOf, type Caller } from '../shared/auth/caller.ts'
import { scopeRegistry } from '../shared/auth/scopes.ts'
import { faultsOf } from '../shared/faults.ts'
import { type Answer, ok, resource } from '../shared/http/answer.ts'
import { authenticate } from '../shared/http/authenticate.ts'
import { authorize } from '../shared/http/authorize.ts'
import { type Exchange, openExchange } from '../shared/http/exchange.ts'
import type { Operation } from '../shared/http/operation.ts'
import { listPage } from '../shared/http/page.ts'
import { enforceRateLimit } from '../shared/http/rate-limit.ts'
import { invalidInput, ProblemError, problemBody } from '../shared/problem.ts'
import { log } from '../shared/runtime/log.ts'
import { commit, type Mutation } from '../shared/storage/commit.ts'

const registry = scopeRegistry()

interface Env {
  Bindings: { event: LambdaEvent; lambdaContext: LambdaContext }
  Variables: { exchange: Exchange; caller: Caller }
}

const app = new Hono<Env>()

app.use(secureHeaders())
app.use(async (context, next) => {
  const exchange = openExchange(context.env.event, context.env.lambdaContext)
  context.set('exchange', exchange)
  await next()
  context.res.headers.set('x-request-id', exchange.requestId)
  log.info('request', {
    method: exchange.method,
    path: exchange.path,
    status: context.res.status,
    latency_ms: Date.now() - exchange.now.getTime(),
    request_id: exchange.requestId,
    ...(exchange.caller ? { org_id: exchange.caller.orgId, principal: actorOf(exchange.caller).id } : {}),
  })
})

app.onError((error, context) => {
  const { requestId, path, answerHeaders } = context.var.exchange
  const problem = error instanceof ProblemError ? error : new ProblemError('server_error', 'Something went wrong.')
  const headers = { ...answerHeaders, 'content-type': 'application/problem+json' }
  return context.body(
    JSON.stringify(problemBody(problem, requestId, path)),
    problem.status as ContentfulStatusCode,
    headers,
  )
})

const admit = (operation: Operation) =>
  app.use(operation.path.replace('{key_id}', ':key_id'), async (context, next) => {
    const { exchange } = context.var
    if (operation.method !== exchange.method) return next()
    await authenticate(operation, exchange)
    await enforceRateLimit(exchange)
    if (!exchange.caller) throw new TypeError('authentication has no caller')
    await authorize(operation, exchange.caller, exchange)
    context.set('caller', exchange.caller)
    return next()
  })

const valid = <Target extends 'json' | 'query', Schema extends z.ZodType>(target: Target, schema: Schema) =>
  zValidator(target, schema, (result) => {
    if (!result.success) throw invalidInput(faultsOf(result.error))
  })

const answered = ({ status, body, once, headers = {} }: Answer, { answerHeaders }: Exchange): Response =>
  Response.json({ ...(body as object), ...once }, { status, headers: { ...answerHeaders, ...headers } })

app.get('/api/v1/health', () => Response.json({ status: 'ok', version: 'bench', stage: 'bench' }))

// The more specific path first: Hono takes the first match.
admit(listScopes)
app.get(listScopes.path, ({ var: { exchange } }) => answered(ok(registry), exchange))

admit(createApiKey)
app.post(createApiKey.path, valid('json', createApiKey.body ?? never()), async (context) => {
  const { exchange, caller } = context.var
  const { orgId } = caller
  const { now, requestId, deadline, ip, userAgent } = exchange
  const requestContext = { orgId, actor: actorOf(caller), now, requestId, ip, userAgent }
  const write = async <Given extends Answer>(mutation: Mutation, answer: Given): Promise<Given> => {
    await commit(mutation, requestContext, deadline)
    return answer
  }
  const body = context.req.valid('json')
  const names = (field: string) => Object.hasOwn(body, field)
  const answer = await issue({ caller, names, now, commit: write }, { ...body, key_type: 'org' })
  return answered(answer, exchange)
})

admit(listApiKeys)
app.get(listApiKeys.path, valid('query', listApiKeys.query.strict()), async (context) => {
  const { exchange, caller } = context.var
  const call = { caller, query: context.req.valid('query'), now: exchange.now }
  return answered(await listPage(call, (filter, page) => listKeys(caller.orgId, filter, page)), exchange)
})

admit(getApiKey)
app.get(`${listApiKeys.path}/:key_id`, async (context) => {
  const { exchange, caller } = context.var
  const { key_id } = getApiKey.params.parse(context.req.param())
  return answered(resource(toKeyView(await getKey(caller.orgId, key_id), exchange.now)), exchange)
})

function never(): never {
  throw new TypeError('the operation has a body')
}

export const handler = handle(app)
