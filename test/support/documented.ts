/** Holds every answer that a test sees against the document: its status and its headers must be there. */
import { expect } from 'vitest'
import openapi from '../../docs/openapi.json' with { type: 'json' }
import type { Operation } from '../../shared/http/operation.ts'

/** Headers of browsers and of HTTP itself, which are no part of an operation. */
const ofTheMedium =
  /^(?:content-(?:type|encoding|security-policy)|referrer-policy|strict-transport-security|x-content-type-options|vary|access-control-.*)$/

interface Documented {
  responses: Record<string, { headers?: Record<string, unknown> }>
}

/** @throws AssertionError for a status or a header that the operation's reference does not name */
export function expectDocumented(
  operation: Operation,
  status: number,
  headers: Readonly<Record<string, string>>,
): void {
  const methods = (openapi.paths as Record<string, Record<string, unknown>>)[operation.path]
  const documented = methods?.[operation.method.toLowerCase()] as Documented | undefined
  if (!documented) return
  const response = documented.responses[status]
  expect(response, `${operation.id} answers ${status}, which its reference does not name`).toBeDefined()
  const known = Object.keys(response?.headers ?? {}).map((name) => name.toLowerCase())
  const unknown = Object.keys(headers).filter((name) => !ofTheMedium.test(name) && !known.includes(name))
  expect(unknown, `headers of ${operation.id} with ${status} that its reference does not name`).toEqual([])
}
