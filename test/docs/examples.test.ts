/** The examples of the reference: each operation has them, and they are what the service would take and answer. */
import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import { describe, expect, test } from 'vitest'
import { examples, openApiDocument } from '../../docs/openapi.ts'
import { problemExamples } from '../../docs/problem-examples.ts'
import { type OperationName, operationList } from '../../functions/operations.ts'
import type { Operation } from '../../shared/http/operation.ts'
import { problemKinds } from '../../shared/problem.ts'
import type { PublicJwk } from '../../shared/secrets/signing.ts'
import type { Checkpoint } from '../../shared/trail/checkpoint.ts'
import { isSignedBy } from '../../shared/trail/checkpoints.ts'

const document = openApiDocument()

describe.each(operationList)('%s', (name: OperationName, operation: Operation) => {
  const { params = {}, body, answers = {} } = examples[name] ?? {}

  test('the example of the request is one that the service takes', () => {
    expect(Object.keys(params).sort()).toEqual(Object.keys(operation.params.shape).sort())
    operation.params.parse(params)
    if (operation.body && !operation.bodyMayBeAbsent) expect(body).toBeDefined()
    if (operation.body && body !== undefined) operation.body.parse(body)
    if (operation.rawBody) expect(body).toBeDefined()
  })

  test('the reference shows the example of each parameter of the path', () => {
    const { parameters = [] } = document.paths?.[operation.path]?.[methodOf(operation)] ?? {}
    const shown = (parameters as PathParameter[])
      .filter((parameter) => parameter.in === 'path')
      .map(({ name, examples: named }) => [name, named?.example?.value])
    expect(Object.fromEntries(shown)).toEqual(params)
  })

  test('each answer has an example, with every field that the service answers and no other', () => {
    const withBody = Object.entries(operation.answers).filter(([, schema]) => schema)
    expect(Object.keys(answers).sort(), `the answers of ${name} in docs/examples.json`).toEqual(
      withBody.map(([status]) => status).sort(),
    )
    for (const [status, schema] of withBody) expect(schema?.parse(answers[status])).toEqual(answers[status])
  })

  test('each error that it can answer is named, with an example of the problem', () => {
    const { responses = {} } = document.paths?.[operation.path]?.[methodOf(operation)] ?? {}
    expect(Object.keys(responses)).toContain('500')
    for (const [status, response] of Object.entries(responses as Record<string, ErrorResponse>)) {
      const { examples: named = {} } = response.content?.['application/problem+json'] ?? {}
      if (Number(status) >= 400) expect(Object.keys(named).length).toBeGreaterThan(0)
      for (const code of Object.keys(named)) expect(String(problemExamples[code]?.status)).toBe(status)
    }
  })
})

interface PathParameter {
  in: string
  name: string
  examples?: { example?: { value: unknown } }
}

interface ErrorResponse {
  content?: Record<string, { examples?: Record<string, unknown> }>
}

const methodOf = ({ method }: Operation) => method.toLowerCase() as 'get' | 'post' | 'put' | 'patch' | 'delete'

test('there are examples of nothing else', () => {
  const names: readonly string[] = operationList.map(([name]) => name)
  expect(Object.keys(examples).filter((name) => !names.includes(name))).toEqual([])
  expect(Object.keys(problemExamples).sort()).toEqual(Object.keys(problemKinds).sort())
})

test('the examples of the audit trail have their own hashes, and the key of the example signed the checkpoint', () => {
  const page = examples['audit-events/list']?.answers['200'] as { data: Record<string, unknown>[] }
  expect(page.data).toHaveLength(2)
  for (const { hash, sealed: _sealed, ...event } of page.data) {
    const canonical = canonicalize(event) ?? ''
    expect(createHash('sha256').update(canonical).digest('hex')).toBe(hash)
  }
  const signed = examples['audit-events/checkpoints']?.answers['200'] as { data: Checkpoint[] }
  const set = examples['meta/audit-key']?.answers['200'] as { keys: PublicJwk[] }
  expect(signed.data.map((checkpoint) => isSignedBy(checkpoint, set.keys))).toEqual([true])
})
