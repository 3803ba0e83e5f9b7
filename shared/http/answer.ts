/** What handlers answer, and how an answer becomes what API Gateway expects. */
import { createHash } from 'node:crypto'
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import canonicalize from 'canonicalize'

export interface Answer {
  status: number
  /** The JSON body; undefined for none. */
  body?: unknown
  /** Secrets that leave with this answer and never again: added to the body, left out of every replay. */
  once?: Readonly<Record<string, string>>
  headers?: Readonly<Record<string, string>>
  /** The request found everything as it wanted it, and changed nothing. */
  unchanged?: boolean
  /** A body that is not JSON, as it leaves; its media type is in `headers`. */
  raw?: { body: string; isBase64Encoded: boolean }
}

/**
 * A strong validator: the digest of the resource as served, and of what is `unseen` of it. A secret is shown by its mask,
 * which another can share; whoever replaces it must change the validator all the same.
 */
export const etagOf = (resource: unknown, unseen?: string | number): string =>
  `"${createHash('sha256')
    .update(canonicalize(unseen === undefined ? resource : [resource, unseen]) ?? '')
    .digest('base64url')
    .slice(0, 27)}"`

/** Any JSON that is not one resource: lists, verdicts, documents. */
export const ok = (body: unknown): Answer => ({ status: 200, body })

/** One resource, with its validator. */
export const resource = (body: unknown, unseen?: string | number): Answer => ({
  status: 200,
  body,
  headers: { etag: etagOf(body, unseen) },
})

/** A resource that has come to be, where to get it, and the secrets that are shown this once. */
export const created = (
  body: unknown,
  location: string,
  once?: Readonly<Record<string, string>>,
  unseen?: string | number,
): Answer => ({
  status: 201,
  body,
  headers: { etag: etagOf(body, unseen), location },
  ...(once ? { once } : {}),
})

/** Done, and nothing to say about it. */
export const noContent: Answer = { status: 204 }

/** The Lambda result of an answer. `headers` of the exchange are under those of the answer. */
export function toGatewayResult(answer: Answer, headers: Record<string, string>): APIGatewayProxyStructuredResultV2 {
  const merged = { ...headers, ...answer.headers }
  if (answer.raw) return { statusCode: answer.status, headers: merged, ...answer.raw }
  if (answer.body === undefined) return { statusCode: answer.status, headers: merged }
  return {
    statusCode: answer.status,
    headers: { 'content-type': 'application/json', ...merged },
    body: JSON.stringify(answer.once ? { ...(answer.body as object), ...answer.once } : answer.body),
  }
}
