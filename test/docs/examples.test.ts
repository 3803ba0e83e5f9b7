/** The examples of the reference: each operation has them, and they are what the service would take and answer. */
import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import { describe, expect, test } from 'vitest'
import { examples, openApiDocument } from '../../docs/openapi.ts'
import { problemExamples } from '../../docs/problem-examples.ts'
import { type OperationName, operationList } from '../../functions/operations.ts'
import type { Operation } from '../../shared/http/operation.ts'
import { problemKinds } from '../../shared/problem.ts'

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
    const { parameters = [] } = openApiDocument().paths?.[operation.path]?.[methodOf(operation)] ?? {}
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
    const { responses = {} } = openApiDocument().paths?.[operation.path]?.[methodOf(operation)] ?? {}
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

test('the example of the audit trail is a chain that holds', () => {
  const page = examples['audit-events/list']?.answers['200'] as { data: Record<string, unknown>[] } | undefined
  const [newer, older] = page?.data ?? []
  for (const { hash, ...event } of [newer ?? {}, older ?? {}]) {
    expect(
      createHash('sha256')
        .update(canonicalize(event) ?? '')
        .digest('hex'),
    ).toBe(hash)
  }
  expect(newer?.prev_hash).toBe(older?.hash)
})
