/**
 * An operation as plain data, without its behaviour. The route, the function and its IAM statements, validation, the
 * handler's types, OpenAPI, the local routes and the tests of all operations are derived from it.
 */
import * as z from 'zod'
import type { Access } from '../access.ts'
import type { AuditAction, ResourceType } from '../audit/event.ts'
import type { Scope } from '../auth/scopes.ts'
import { lazy } from '../lazy.ts'
import type { ProblemCode } from '../problem.ts'
import type { Answer, EmptyAnswer, Exact, Immutable, JsonAnswer } from './answer.ts'
import type { Published } from './published.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

type Nothing = z.ZodObject<Record<never, never>>

interface RequestSchemas<Params extends z.ZodObject, Query extends z.ZodObject, Body extends z.ZodType> {
  params?: Params
  query?: Query
  body?: Body
}

/** Schemas of the answers by status; null where an answer has no JSON body. */
export type AnswerSchemas = Readonly<Record<number, z.ZodType | null>>

interface Description {
  /** The OpenAPI `operationId`. */
  id: string
  /** `$default` matches requests that no other route matches. */
  route: `${Method} /api/v${1 | 2}/${string}` | '$default'
  tag: string
  summary: string
  description: string
  /** The scope that a caller needs; `any`: any valid token; `public`: no token. */
  scope: Scope | 'any' | 'public'
  /** Whether a client may authenticate with Basic, whose password is the key (RFC 6749, section 2.3.1). */
  clientAuthentication?: boolean
  /** Of a POST that is harmless to repeat: `Idempotency-Key` is ignored. */
  ignoresIdempotencyKey?: boolean
  /** Where the body may also be a form: its schema for the documents, and the JSON body that its parameters stand for. */
  form?: { schema: () => z.ZodObject; toBody: (parameters: ReadonlyMap<string, string>) => unknown }
  /** Service keys may call it without naming an organization. */
  orgMayBeAbsent?: boolean
  /** Description of a body that the handler gets unparsed, because the sender signs its bytes. */
  rawBody?: string
  /** Whether the body is optional. An absent body means `{}`. */
  bodyMayBeAbsent?: boolean
  /** Further problems, besides those of every operation of its kind. */
  refusals?: readonly ProblemCode[]
  access: Access
  /** The action and resource in the audit event of a mutation, and of a denied attempt at it. */
  audit?: { action: AuditAction; resource: ResourceType; param?: string }
  /** A POST that changes no setting, so it has no event. */
  withoutEvent?: boolean
  /** Media types of an answer that is not JSON: a page for a browser, and its script. */
  mediaTypes?: readonly string[]
}

interface Definition<
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Body extends z.ZodType,
  Answers extends AnswerSchemas,
  Publishing extends readonly Published[],
> extends Description {
  published?: Publishing
  /** Default: empty schemas. Built on first use, like the answers: a function needs only its own request. */
  request?: () => RequestSchemas<Params, Query, Body>
  answers: () => Answers
}

export interface Operation<
  Params extends z.ZodObject = z.ZodObject,
  Query extends z.ZodObject = z.ZodObject,
  Body extends z.ZodType = z.ZodType,
  Answers extends AnswerSchemas = AnswerSchemas,
  Publishing extends readonly Published[] = readonly Published[],
> extends Description {
  /** Operations of the published face that the same function serves. */
  published?: Publishing
  method: Method
  path: string
  /** All routes to the function: its own first, then the published ones. Every GET also has a HEAD. */
  routes: readonly Route[]
  readonly params: Params
  readonly query: Query
  readonly body: Body | undefined
  readonly answers: Answers
}

/** The answers that the contract of `Op` declares, with status and body. Without declarations: any answer. */
export type AnswerOf<Op extends Operation> = DeclaredAnswer<Op['answers']>
type DeclaredAnswer<Answers> = keyof Answers extends never
  ? Answer
  : number extends keyof Answers
    ? Answer
    : { [Status in keyof Answers & number]: AnswerWith<Answers[Status], Status> }[keyof Answers & number]
type AnswerWith<Schema, Status extends number> =
  Schema extends z.ZodType<infer Body> ? JsonAnswer<Immutable<Body>, Status> : EmptyAnswer<Status>

/** The body of the answer with a status, as the contract of `Op` declares it. */
export type BodyOf<Op extends Operation, Status extends number> =
  Op['answers'][Status] extends z.ZodType<infer Body extends object> ? Immutable<Body> : never

/** An answer `Given` to `Op` whose body has declared members only. */
export type ExactAnswer<Op extends Operation, Given extends Answer> = Given & {
  body?: Exact<Given['body'], AnswerOf<Op>['body']>
}

export interface Route {
  method: Method | 'HEAD'
  path: string
  published?: Published
}

/** A route as API Gateway names it in `routeKey`. */
export const routeKeyOf = ({ method, path }: Pick<Route, 'method' | 'path'>): string => `${method} ${path}`

/** Keys are kept per principal. So a public operation takes none. */
export const takesIdempotencyKey = ({ method, scope, ignoresIdempotencyKey }: Operation): boolean =>
  method === 'POST' && scope !== 'public' && !ignoresIdempotencyKey

const split = (route: string) => {
  const [method, path = ''] = route.split(' ') as [Method, string?]
  return { method, path }
}

const withHead = (route: Route): Route[] => (route.method === 'GET' ? [route, { ...route, method: 'HEAD' }] : [route])

function routesOf(route: Description['route'], published: readonly Published[] = []): Route[] {
  if (route === '$default') return []
  const shared = published.map(
    (entry): Route => ({ ...split(entry.route ?? route.replace('/api/v2/', '/api/v1/')), published: entry }),
  )
  return [split(route), ...shared].flatMap(withHead)
}

/** Declares an operation. */
export function operation<
  Params extends z.ZodObject = Nothing,
  Query extends z.ZodObject = Nothing,
  Body extends z.ZodType = z.ZodUndefined,
  Answers extends AnswerSchemas = AnswerSchemas,
  const Publishing extends readonly Published[] = readonly [],
>({
  request,
  answers,
  ...description
}: Definition<Params, Query, Body, Answers, Publishing>): Operation<Params, Query, Body, Answers, Publishing> {
  const { method, path } = split(description.route)
  const answerSchemas = lazy(answers)
  const requestSchemas = lazy(() => {
    const { params = z.object({}), query = z.object({}), body } = request?.() ?? {}
    // The defaults match the defaults of the type parameters. The compiler cannot check this.
    return { params: params as Params, query: query as Query, body }
  })
  return {
    ...description,
    method,
    path,
    routes: routesOf(description.route, description.published),
    get params() {
      return requestSchemas().params
    },
    get query() {
      return requestSchemas().query
    },
    get body() {
      return requestSchemas().body
    },
    get answers() {
      return answerSchemas()
    },
  }
}
