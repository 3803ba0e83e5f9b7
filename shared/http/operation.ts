/**
 * An operation as plain data: everything about it that is not behaviour. The route, the function and its IAM
 * statements, validation, the handler's types, OpenAPI, the local routes and the walking tests come from it.
 */
import * as z from 'zod'
import type { AuditAction, ResourceType } from '../audit/event.ts'
import type { Scope } from '../auth/scopes.ts'
import type { ProblemCode } from './problem.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** DynamoDB actions that a function may be granted. A transaction needs those of its parts; `Scan` is not among them. */
export type TableAction = 'GetItem' | 'Query' | 'PutItem' | 'UpdateItem' | 'DeleteItem' | 'ConditionCheckItem'

/** What the Lambda of an operation may touch, the pipeline's needs among it: nothing is added behind its back. */
export interface Access {
  table: readonly TableAction[]
}

const nothing = z.object({})
type Nothing = typeof nothing

interface Definition<Params extends z.ZodObject, Query extends z.ZodObject, Body extends z.ZodType> {
  /** The OpenAPI `operationId`. */
  id: string
  /** `$default` takes what no other route matches. */
  route: `${Method} /api/v1/${string}` | '$default'
  tag: string
  summary: string
  description: string
  /** The scope that a caller needs; `any`: any valid token; `public`: no token. */
  scope: Scope | 'any' | 'public'
  params?: Params
  query?: Query
  body?: Body
  /** Whether the body may be left out; it is then read as `{}`. */
  bodyMayBeAbsent?: boolean
  /** Answers by status; null where the answer has no JSON body. */
  answers: Readonly<Record<number, z.ZodType | null>>
  /** Problems beyond those that every operation of its kind can answer. */
  refusals?: readonly ProblemCode[]
  access: Access
  /** Of a mutation: what its event says, which is also what a denied attempt is recorded as. */
  audit?: { action: AuditAction; resource: ResourceType; param?: string }
  /** The answer is a page for a browser, or any other medium than JSON. */
  mediaType?: string
}

export interface Operation<
  Params extends z.ZodObject = z.ZodObject,
  Query extends z.ZodObject = z.ZodObject,
  Body extends z.ZodType = z.ZodType,
> extends Omit<Definition<Params, Query, Body>, 'params' | 'query' | 'body'> {
  method: Method
  path: string
  params: Params
  query: Query
  body: Body | undefined
}

/** Declares an operation. Left-out parts of the request are empty. */
export function operation<
  Params extends z.ZodObject = Nothing,
  Query extends z.ZodObject = Nothing,
  Body extends z.ZodType = z.ZodUndefined,
>(definition: Definition<Params, Query, Body>): Operation<Params, Query, Body> {
  const [method, path = ''] = definition.route.split(' ') as [Method, string?]
  return {
    ...definition,
    method,
    path,
    // The defaults are the type parameters' defaults; the compiler cannot see that the two go together.
    params: definition.params ?? (nothing as z.ZodType as Params),
    query: definition.query ?? (nothing as z.ZodType as Query),
    body: definition.body,
  }
}
