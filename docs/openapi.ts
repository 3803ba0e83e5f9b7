/** Generates the documents that follow from the contracts; with `--check` it fails if a file differs. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import * as z from 'zod'
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiResponsesObject } from 'zod-openapi'
import { runMain } from '../bin/usage.ts'
import { type OperationName, operationList } from '../functions/operations.ts'
import type { Operation } from '../shared/http/operation.ts'
import { type ProblemCode, problemKinds } from '../shared/problem.ts'
import { isVersioned, problemCodes, refusalsOf, takesIfMatch } from './answers.ts'
import { withConditions } from './conditions.ts'
import { documentHead, securitySchemes } from './document-head.ts'
import writtenExamples from './examples.json' with { type: 'json' }
import { gatewayAnswer, gatewayAnswerText, isGatewayStatus } from './gateway-answers.ts'
import { headersOf, headers as headerTexts } from './headers.ts'
import { withNamedParts } from './named-parts.ts'
import { operationsPage } from './operations-page.ts'
import { simplify, withAnyJson } from './portable-schemas.ts'
import { problemExamples } from './problem-examples.ts'
import { problemsPage } from './problems-page.ts'
import { publishedDocument } from './published-document.ts'
import { stageDocuments } from './stages.ts'

const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string(),
    code: z.enum(problemCodes),
    message: z.string().meta({ description: 'Equals `detail`.' }),
    request_id: z.string(),
    retryable: z.boolean(),
    category: z.string(),
    errors: z
      .array(z.object({ path: z.string(), code: z.string(), message: z.string() }))
      .optional()
      .meta({ description: 'Each fault of the input, by dotted path.' }),
  })
  .meta({ id: 'Problem', description: 'An error, as RFC 9457 problem details.' })

/** What a request and its answers may look like. Beside the contracts, not in them: functions carry those with them. */
export interface OperationExamples {
  params?: Record<string, string>
  body?: unknown
  /** By status. */
  answers: Record<string, unknown>
}

export const examples: Partial<Record<OperationName, OperationExamples>> = writtenExamples

const statusTexts: Record<number, string> = { 200: 'Success', 201: 'Created', 202: 'Accepted', 204: 'Done, no content' }

const gatewayContent = {
  'application/json': { schema: gatewayAnswer.meta({ id: 'GatewayAnswer', description: gatewayAnswerText }) },
}

const errorResponses = (operation: Operation): ZodOpenApiResponsesObject => {
  const byStatus = Map.groupBy(refusalsOf(operation), (code) => problemKinds[code].status)
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      status,
      {
        description: codes.map((code) => `\`${code}\`: ${problemKinds[code].title}`).join('; '),
        headers: headerRefs(operation, status, codes),
        content: {
          'application/problem+json': {
            schema: problemSchema,
            examples: Object.fromEntries(codes.map((code) => [code, { $ref: `#/components/examples/${code}` }])),
          },
          // After the problem: generators of clients take the first media type.
          ...(isGatewayStatus(status) ? gatewayContent : {}),
        },
      },
    ]),
  )
}

const exampleOf = (value: unknown) => (value === undefined ? {} : { examples: { example: { value } } })

const headerRefs = (operation: Operation, status: number, codes: readonly ProblemCode[] = []) =>
  Object.fromEntries(
    headersOf(operation, status, codes, isVersioned(operation, status)).map((name) => [
      name,
      { $ref: `#/components/headers/${name}` },
    ]),
  )

const successResponses = (operation: Operation, example: OperationExamples | undefined): ZodOpenApiResponsesObject =>
  Object.fromEntries(
    Object.entries(operation.answers).map(([status, schema]) => [
      status,
      {
        description: statusTexts[Number(status)] ?? 'Success',
        headers: headerRefs(operation, Number(status)),
        ...(schema ? { content: { 'application/json': { schema, ...exampleOf(example?.answers[status]) } } } : {}),
        ...(operation.mediaTypes ? { content: textContent(operation.mediaTypes) } : {}),
      },
    ]),
  )

const textContent = (mediaTypes: readonly string[]) =>
  Object.fromEntries(mediaTypes.map((mediaType) => [mediaType, { schema: z.string() }]))

const idempotencyHeader = z.object({
  'Idempotency-Key': z
    .string()
    .regex(/^[ -~]{1,255}$/)
    .optional()
    .meta({
      description:
        'Repeating a request with the same key within 24 hours replays the first answer, without its secrets.',
    }),
})
const ifMatchHeader = z.object({
  'If-Match': z.string().optional().meta({ description: 'Apply only to this `ETag`; 412 otherwise.' }),
})
const ifNoneMatchHeader = z.object({
  'If-None-Match': z.string().optional().meta({ description: 'Answer 304 without a body while this `ETag` holds.' }),
})
const stripeSignatureHeader = z.object({
  'Stripe-Signature': z.string().meta({
    description: 'Time and signature of the body, as Stripe makes them: `t=<seconds>,v1=<HMAC-SHA256 in hex>`.',
  }),
})
const orgQuery = { org_id: z.string().optional().meta({ description: "Must be the credential's organization." }) }

const scopeSentence = ({ scope }: Operation): string => {
  if (scope === 'public') return 'Public: no credential needed.'
  return scope === 'any' ? 'Needs any valid credential.' : `Needs the scope \`${scope}\`.`
}

function describe(name: OperationName, operation: Operation): ZodOpenApiOperationObject {
  const example = examples[name]
  const { id, tag, summary, description, scope, params, query, body, bodyMayBeAbsent, rawBody } = operation
  const header = requestHeaders(operation)
  return {
    operationId: id,
    tags: [tag],
    summary,
    description: `${description}\n\n${scopeSentence(operation)}`,
    ...(scope === 'public' ? { security: [] } : {}),
    requestParams: {
      path: withExamples(params, example?.params),
      query: scope === 'public' ? query : z.object({ ...query.shape, ...orgQuery }),
      ...(header ? { header } : {}),
    },
    ...(body
      ? {
          requestBody: {
            required: !bodyMayBeAbsent,
            content: { 'application/json': { schema: body, ...exampleOf(example?.body) } },
          },
        }
      : {}),
    ...(rawBody ? { requestBody: rawRequestBody(rawBody, example?.body) } : {}),
    responses: {
      ...successResponses(operation, example),
      ...(isVersionedRead(operation) ? { 304: notModified(operation) } : {}),
      ...errorResponses(operation),
    },
  }
}

function requestHeaders(operation: Operation): z.ZodObject | undefined {
  if (operation.rawBody) return stripeSignatureHeader
  if (isVersionedRead(operation)) return ifNoneMatchHeader
  if (operation.scope === 'public') return undefined
  if (operation.method === 'POST') return idempotencyHeader
  return takesIfMatch(operation) ? ifMatchHeader : undefined
}

const isVersionedRead = (operation: Operation): boolean => operation.method === 'GET' && isVersioned(operation, 200)

const notModified = (operation: Operation) => ({
  description: 'Not modified: `If-None-Match` names the current `ETag`',
  headers: headerRefs(operation, 304),
})

/** The parameters of a path, each with its example beside its schema: the schema is shared by all that take such an id. */
const withExamples = (params: z.ZodObject, values: Record<string, string> = {}): z.ZodObject =>
  z.object(
    Object.fromEntries(
      Object.entries(params.shape).map(([name, schema]) => [
        name,
        (schema as z.ZodType).meta({ ...(schema as z.ZodType).meta(), param: exampleOf(values[name]) }),
      ]),
    ),
  )

const rawRequestBody = (description: string, example: unknown) => ({
  required: true,
  description,
  content: { 'application/json': { schema: { type: 'object' as const }, ...exampleOf(example) } },
})

const introduction = `The settings and billing control plane of the Octomil AI inference platform.

- **Credentials.** An API key, or a token of the service's issuer: \`Authorization: Bearer …\`. Each operation says which scope it needs. Keys are made by *Create an org key*, and the first of them with a sign-in token of an owner or admin. On your machine \`npm run dev\` writes keys and tokens to \`.local/dev.json\`.
- **Errors.** Every answer of the service that is not 2xx is \`application/problem+json\` (RFC 9457), with a \`code\`, the \`request_id\`, whether it is \`retryable\`, and each fault of the input in \`errors\`. API Gateway itself can answer any operation with 413, 429, 500 or 503: \`application/json\` with a \`message\` and nothing else.
- **Methods.** HEAD is answered wherever GET is, without the body. A path that has no operation of a method answers 405, and names those that it has in \`Allow\`. An unknown path is 404.
- **Repeating.** A POST that is repeated with the same \`Idempotency-Key\` within 24 hours takes effect once. \`If-Match\` with an \`ETag\` guards every other change, and \`If-None-Match\` saves the body of a read that is known (304).
- **Lists.** \`limit\`, and \`cursor\` from \`next_cursor\` of the page before; null is the end.
- **Limits.** \`RateLimit\` on every authenticated answer says where a credential stands; a 429 says in \`Retry-After\` when to come back.`

/** What each group of operations is for. */
const tagTexts: Readonly<Record<string, string>> = {
  'API keys':
    'Keys for servers, apps and browsers: made, listed, rotated and revoked, and the scopes that they may hold.',
  Audit: 'Who changed what and when, in a hash chain that anybody with the scope can verify.',
  'Cloud connections':
    'Accounts at cloud AI providers, each with a key that can be tested and whose models can be listed.',
  'Cloud credentials': 'Keys for cloud AI providers that inference may use, stored encrypted and never shown.',
  'Cloud policy': 'When inference may fall back to the cloud, with whose keys and at which providers.',
  Execution: 'The runtimes that serve inference, how one is chosen for a request, and how they fare.',
  Billing: 'The plan and the subscription, checkout and portal at Stripe, and invoices.',
  'Organization settings':
    'What an organization asks of its people and its data, such as a second factor and how long events are kept.',
  'Sign-in': 'How people of the organization sign in: SSO, SCIM and the primary mode.',
  Policies: 'How models are served, whether telemetry is sent, and how much of requests is kept.',
  Integrations: 'Where notifications and data of the platform go: chat, paging, e-mail, webhooks and monitoring.',
  'Usage limits': 'How much of each metric the organization may use, below what its plan allows.',
  Webhooks: 'What other services call here: Stripe, with its events.',
  Meta: 'What the service says about itself, without a credential.',
}

/** The OpenAPI 3.1 document of all operations. */
export function openApiDocument() {
  const paths: Record<string, Record<string, ZodOpenApiOperationObject>> = {}
  for (const [name, operation] of operationList) {
    paths[operation.path] = { ...paths[operation.path], [operation.method.toLowerCase()]: describe(name, operation) }
  }
  const document = createDocument(
    {
      ...documentHead('Octomil settings API', introduction),
      tags: [...new Set(operationList.map(([, { tag }]) => tag))].map((name) => ({
        name,
        description: tagTexts[name] ?? '',
      })),
      paths,
      components: {
        headers: headerTexts,
        examples: Object.fromEntries(
          Object.entries(problemExamples).map(([code, value]) => [code, { summary: value.title, value }]),
        ),
        securitySchemes,
      },
    },
    { override: ({ jsonSchema }) => simplify(jsonSchema) },
  )
  return withConditions(withNamedParts(withAnyJson(document)))
}

const textOf = (document: object): string => `${JSON.stringify(document, null, 2)}\n`

/** The generated texts, by file. */
function generated(): [URL, string][] {
  return [
    [new URL('openapi.json', import.meta.url), textOf(openApiDocument())],
    [new URL('published/openapi.json', import.meta.url), textOf(publishedDocument())],
    [new URL('operations.md', import.meta.url), operationsPage()],
    [new URL('problems.md', import.meta.url), problemsPage()],
    ...stageDocuments(),
  ]
}

const usage = `Usage: npm run openapi [or npm run openapi:check]

  --check  write nothing; fail if a file does not match the contracts`

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } })
  for (const [file, current] of generated()) {
    if (!values.check) writeFileSync(file, current)
    else if (!existsSync(file) || readFileSync(file, 'utf8') !== current) {
      console.error(
        `${file.pathname.split('/').slice(-2).join('/')} does not match the contracts; run: npm run openapi`,
      )
      process.exitCode = 1
    }
  }
}

if (import.meta.main) runMain(main, usage, () => undefined)
