/** A function answers every event. No request of a client causes an unexpected error. */
import { randomUUID } from 'node:crypto'
import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { catchAll, type OperationName, operationList } from '../../functions/operations.ts'
import type { Operation } from '../../shared/http/operation.ts'
import { happyRequest } from '../support/happy-paths.ts'
import { eventFor, handlerOf } from '../support/invoke.ts'
import { logLines } from '../support/logs.ts'
import { makeBusyOrg, type TestOrg, testIssuer } from '../support/orgs.ts'
import { sampleParams } from '../support/sample-ids.ts'

const every: readonly [OperationName | typeof catchAll.name, Operation][] = [
  ...operationList,
  [catchAll.name, catchAll.operation],
]

/** One of every kind, from a new person, whose rate limit is unused. */
async function credentialsOf({ orgId, adminKey }: TestOrg): Promise<string[]> {
  const { mint } = await testIssuer()
  const owner = await mint({ sub: randomUUID(), org_id: orgId, role: 'owner' }, 600)
  const expired = await mint({ sub: randomUUID(), org_id: orgId, role: 'owner' }, -60)
  return [adminKey, adminKey, owner, expired].map((token) => `Bearer ${token}`)
}

/** The parts of an event that a client chooses can hold any text. */
const nastyTexts = [
  ...['\ud800', '\udfff\ud800', '\0', '\r\n', '%', '%E0%A4%A', '__proto__', 'constructor', '', ' ', '{}', 'null'],
  ...['[]', '1e999', '{"name":1e999}', '9'.repeat(400), 'a'.repeat(3000), '{"a":{"b":'.repeat(500), 'NaN', '-0'],
]
const nastyText = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constantFrom(...nastyTexts))
const anyValue = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withSparseArray: true,
})
const texts = fc.dictionary(
  fc.oneof(
    nastyText,
    fc.constantFrom('authorization', 'Authorization', 'x-api-key', 'content-type', 'idempotency-key', 'origin'),
    fc.constantFrom('limit', 'cursor', 'org_id', 'state', 'action', 'from', 'to', 'key_id', 'asset'),
  ),
  fc.oneof(nastyText, anyValue),
)
const mistyped = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 4, arbitrary }, { weight: 1, arbitrary: anyValue })

/** An event of the right outline with parts that are missing, of another type, or full of odd text. */
const outline = fc.record(
  {
    version: mistyped(fc.constant('2.0')),
    routeKey: mistyped(nastyText),
    rawPath: mistyped(nastyText),
    headers: mistyped(texts),
    queryStringParameters: mistyped(texts),
    pathParameters: mistyped(texts),
    body: mistyped(nastyText),
    isBase64Encoded: mistyped(fc.boolean()),
    requestContext: mistyped(
      fc.record(
        {
          requestId: anyValue,
          http: mistyped(
            fc.record(
              { method: mistyped(nastyText), sourceIp: anyValue, userAgent: mistyped(nastyText) },
              { requiredKeys: [] },
            ),
          ),
        },
        { requiredKeys: [] },
      ),
    ),
  },
  { requiredKeys: [] },
)

/** What one change does to a real event: the path to a part of it, and the new value. */
const mutation = fc.record({
  path: fc.oneof(
    fc.constantFrom(
      ['headers'],
      ['headers', 'content-type'],
      ['headers', 'idempotency-key'],
      ['headers', 'origin'],
      ['headers', 'user-agent'],
      ['headers', 'x-api-key'],
      ['queryStringParameters'],
      ['pathParameters'],
      ['pathParameters', 'key_id'],
      ['body'],
      ['isBase64Encoded'],
      ['rawPath'],
    ),
    fc.constantFrom(
      ['requestContext', 'http', 'userAgent'],
      ['requestContext', 'http', 'method'],
      ['requestContext', 'http'],
      ['requestContext'],
    ),
    nastyText.map((name) => ['headers', name]),
    fc
      .oneof(nastyText, fc.constantFrom('limit', 'cursor', 'state', 'from', 'to', 'actor_id', 'resource_id', 'org_id'))
      .map((name) => ['queryStringParameters', name]),
  ),
  value: fc.oneof(nastyText, anyValue, fc.constant(undefined)),
})

/** What one change does to the body of a real event. */
const bodyMutation = fc.record({
  field: fc.oneof(
    fc.constantFrom('name', 'scopes', 'environment', 'expires_at', 'federation_id', 'model_id', 'app_id', 'reason'),
    fc.constantFrom('allowed_origins', 'rate_limit_per_minute', 'overlap_seconds'),
    fc.constantFrom('plan', 'interval', 'quantity', 'success_url', 'return_url', 'session_id'),
    nastyText,
  ),
  value: fc.oneof(fc.jsonValue(), nastyText, fc.array(nastyText), fc.date({ noInvalidDate: false }), fc.integer()),
})

type Json = Record<string, unknown>

function mutate(event: Json, { path, value }: { path: readonly string[]; value: unknown }): void {
  let at: Json = event
  for (const name of path.slice(0, -1)) {
    const next = at[name]
    if (typeof next !== 'object' || next === null) return
    at = next as Json
  }
  const last = path.at(-1) ?? ''
  Object.defineProperty(at, last, { value, enumerable: true, configurable: true, writable: true })
}

function mutateBody(event: Json, changes: readonly { field: string; value: unknown }[]): void {
  if (changes.length === 0) return
  const body: Json = typeof event.body === 'string' ? JSON.parse(event.body) : {}
  for (const { field, value } of changes) mutate(body, { path: [field], value })
  event.body = JSON.stringify(body)
}

type Answer = Awaited<ReturnType<Awaited<ReturnType<typeof handlerOf>>>>

const typeOf = ({ headers = {} }: Answer): string => String(headers['content-type'])
const isBodyless = ({ statusCode }: Answer): boolean => statusCode === 204

/** What holds for every answer. */
const rules: readonly [string, (answer: Answer) => boolean][] = [
  [
    'its status is from 200 to 499',
    ({ statusCode: status = 0 }) => Number.isInteger(status) && status >= 200 && status < 500,
  ],
  [
    'its headers have lower-case names and texts as values',
    ({ headers = {} }) =>
      Object.entries(headers).every(([name, value]) => /^[a-z0-9-]+$/.test(name) && typeof value === 'string'),
  ],
  ['it has a request id', ({ headers = {} }) => /./s.test(String(headers['x-request-id'] ?? ''))],
  [
    'it has a content type',
    (answer) =>
      isBodyless(answer) || /^(application\/(problem\+)?json|application\/x-ndjson|text\/)/.test(typeOf(answer)),
  ],
  ['it has a body', (answer) => isBodyless(answer) || typeof answer.body === 'string'],
  [
    'its JSON is JSON',
    (answer) => !/[/+]json/.test(typeOf(answer)) || answer.isBase64Encoded === true || isJson(answer.body),
  ],
  [
    'a refusal is a problem',
    (answer) => (answer.statusCode ?? 0) < 400 || typeOf(answer) === 'application/problem+json',
  ],
]

function isJson(text = ''): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

async function expectAnswer(name: (typeof every)[number][0], event: unknown, context: unknown = {}): Promise<void> {
  const logged = logLines.length
  const handler = await handlerOf(name)
  const answer = await handler(event, context)
  const unexpected = logLines.slice(logged).filter((line) => line.includes('"level":"ERROR"'))
  const broken = rules.flatMap(([rule, holds]) => (holds(answer) ? [] : [`${rule}: ${JSON.stringify(answer)}`]))
  // One assertion for all: there are more than 10,000 answers.
  expect([...unexpected, ...broken]).toEqual([])
}

const oddTexts = ['\ud800', '\0\r\n', '__proto__', '%E0%A4%A', '', 'a'.repeat(3000)]

/** The pipeline reads these for every operation: each operation takes a third of the texts, and its neighbours the others. */
const sharedParts = [
  ...['authorization', 'x-api-key', 'content-type', 'idempotency-key', 'origin', 'if-none-match'].map((header) => [
    'headers',
    header,
  ]),
  ['requestContext', 'http', 'userAgent'],
  ['rawPath'],
]

describe.each(every)('%s', (name, operation) => {
  // An org for each operation, so that its trail stays short.
  let org: TestOrg
  beforeAll(async () => {
    org = await makeBusyOrg()
  })

  test('answers anything at all', async () => {
    await fc.assert(
      fc.asyncProperty(anyValue, (event) => expectAnswer(name, event)),
      { numRuns: 30, examples: [[undefined], [null], [''], [[]], [{}], [0]] },
    )
  })

  test('answers an event with parts missing or of another type', async () => {
    await fc.assert(
      fc.asyncProperty(outline, (event) => expectAnswer(name, event)),
      { numRuns: 30 },
    )
  })

  test('answers odd text in each part of the request that it reads', async () => {
    const request =
      name === catchAll.name ? {} : { params: sampleParams(operation), ...(await happyRequest(name, org)) }
    const ownParts = [
      ...Object.keys(operation.query.shape).map((query) => ['queryStringParameters', query]),
      ...Object.keys(operation.params.shape).map((param) => ['pathParameters', param]),
      ['body'],
    ]
    const turn = every.findIndex(([each]) => each === name)
    const changes = [
      ...ownParts.flatMap((path) => oddTexts.map((value) => ({ path, value }))),
      ...sharedParts.flatMap((path, part) =>
        oddTexts.filter((_, text) => (text + part + turn) % 3 === 0).map((value) => ({ path, value })),
      ),
    ]
    for (const change of changes) {
      const token = org.adminKey
      const event: Json = { queryStringParameters: {}, ...eventFor(operation, { ...request, token }) }
      mutate(event, change)
      await expectAnswer(name, event)
    }
  })

  test('answers a valid request with any part changed', async () => {
    const credentials = await credentialsOf(org)
    const request =
      name === catchAll.name ? {} : { params: sampleParams(operation), ...(await happyRequest(name, org)) }
    await fc.assert(
      fc.asyncProperty(
        fc.nat(credentials.length - 1),
        fc.array(mutation, { maxLength: 3 }),
        fc.array(bodyMutation, { maxLength: 3 }),
        async (credential, mutations, bodyMutations) => {
          const event: Json = { queryStringParameters: {}, ...structuredClone(eventFor(operation, request)) }
          mutate(event, { path: ['headers', 'authorization'], value: credentials[credential] })
          mutateBody(event, bodyMutations)
          for (const change of mutations) mutate(event, change)
          await expectAnswer(name, event)
        },
      ),
      { numRuns: 40 },
    )
  })
})

describe('a request for no operation', () => {
  const paths = ['/', '', '/api', '/api/v1', '/api/v2/settings/nothing', '/api/v2/settings/api-keys/', '/API/V1/HEALTH']

  test.each(paths)('the path %j is a 404 problem', async (path) => {
    const { statusCode, headers, body } = await answerOf('GET', path)
    expect([statusCode, headers?.['content-type']]).toEqual([404, 'application/problem+json'])
    expect(headers?.allow).toBeUndefined()
    const problem = JSON.parse(body ?? '')
    expect(problem).toMatchObject({ code: 'not_found', status: 404 })
    expect(problem.detail).not.toBe('Not Found')
    expect(problem.request_id).toBe(headers?.['x-request-id'])
  })

  test.each(operationList)(
    'the path of %s with a method that it does not have is 405 and names those it has',
    async (_name, operation) => {
      const path = Object.entries(sampleParams(operation)).reduce(
        (text, [param, id]) => text.replace(`{${param}}`, id),
        operation.path,
      )
      for (const method of ['OPTIONS', 'TRACE', 'BREW']) {
        const { statusCode, headers, body } = await answerOf(method, path)
        expect([method, statusCode]).toEqual([method, 405])
        expect(String(headers?.allow).split(', ')).toContain(operation.method)
        expect(JSON.parse(body ?? '')).toMatchObject({ code: 'method_not_allowed', status: 405 })
      }
    },
  )

  test('HEAD of a path that has no GET is a 405 without a body', async () => {
    const { statusCode, headers, body } = await answerOf('HEAD', '/api/v2/settings/app-keys')
    expect([statusCode, headers?.allow, body]).toEqual([405, 'POST', undefined])
  })

  const answerOf = async (method: string, path: string) => {
    const handler = await handlerOf(catchAll.name)
    return handler(eventFor(catchAll.operation, { method, path }), {})
  }
})
