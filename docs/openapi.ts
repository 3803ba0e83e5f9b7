/** Generates the documents that follow from the contracts; with `--check` it fails if a file differs. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import * as z from 'zod'
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiResponsesObject } from 'zod-openapi'
import { runMain } from '../bin/usage.ts'
import { type OperationName, operationList } from '../functions/operations.ts'
import { type Operation, takesIdempotencyKey } from '../shared/http/operation.ts'
import { type ProblemCode, problemKinds } from '../shared/problem.ts'
import { isVersioned, problemCodes, refusalsOf, takesIfMatch } from './answers.ts'
import { withConditions } from './conditions.ts'
import { anyCredential, basicScheme, documentHead, securitySchemes } from './document-head.ts'
import writtenExamples from './examples.json' with { type: 'json' }
import { gatewayAnswer, gatewayAnswerText, isGatewayStatus } from './gateway-answers.ts'
import { headersOf, headers as headerTexts } from './headers.ts'
import { withNamedParts } from './named-parts.ts'
import { operationsPage } from './operations-page.ts'
import { simplify, withAnyJson } from './portable-schemas.ts'
import { problemExamples } from './problem-examples.ts'
import { problemSections, problemsPage } from './problems-page.ts'
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

/** Sample request and answers of an operation. They are not in the contracts, because every function bundles its contract. */
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
      description: 'A repeated request with the same key within 24 hours replays the first response, without secrets.',
    }),
})
const ifMatchHeader = z.object({
  'If-Match': z
    .string()
    .optional()
    .meta({ description: 'Apply the change only if the `ETag` matches. Otherwise: 412.' }),
})
const ifNoneMatchHeader = z.object({
  'If-None-Match': z.string().optional().meta({ description: 'Return 304 without a body if the `ETag` matches.' }),
})
const stripeSignatureHeader = z.object({
  'Stripe-Signature': z.string().meta({
    description: 'Time and signature of the body in Stripe’s format: `t=<seconds>,v1=<HMAC-SHA256 in hex>`.',
  }),
})
const orgQuery = {
  org_id: z.string().optional().meta({
    description: 'Must match the credential’s organization. A service key names the organization to act for.',
  }),
}

const scopeSentence = ({ scope }: Operation): string => {
  if (scope === 'public') return 'Public: no credential required.'
  return scope === 'any' ? 'Requires any valid credential.' : `Requires the scope \`${scope}\`.`
}

function describe(name: OperationName, operation: Operation): ZodOpenApiOperationObject {
  const example = examples[name]
  const { id, tag, summary, description, scope, params, query } = operation
  const header = requestHeaders(operation)
  return {
    operationId: id,
    tags: [tag],
    summary,
    description: `${description}\n\n${scopeSentence(operation)}`,
    ...securityOf(operation),
    requestParams: {
      path: withExamples(params, example?.params),
      query: scope === 'public' ? query : z.object({ ...query.shape, ...orgQuery }),
      ...(header ? { header } : {}),
    },
    ...bodyOf(operation, example?.body),
    responses: {
      ...successResponses(operation, example),
      ...(isVersionedRead(operation) ? { 304: notModified(operation) } : {}),
      ...errorResponses(operation),
    },
  }
}

function securityOf({ scope, clientAuthentication }: Operation) {
  if (scope === 'public') return { security: [] }
  return clientAuthentication ? { security: [...anyCredential, { basic: [] }] } : {}
}

function bodyOf({ body, bodyMayBeAbsent, rawBody, form }: Operation, example: unknown) {
  if (rawBody) return { requestBody: rawRequestBody(rawBody, example) }
  if (!body) return {}
  const content = {
    'application/json': { schema: body, ...exampleOf(example) },
    ...(form ? { 'application/x-www-form-urlencoded': { schema: form.schema() } } : {}),
  }
  return { requestBody: { required: !bodyMayBeAbsent, content } }
}

function requestHeaders(operation: Operation): z.ZodObject | undefined {
  if (operation.rawBody) return stripeSignatureHeader
  if (isVersionedRead(operation)) return ifNoneMatchHeader
  if (operation.scope === 'public') return undefined
  if (takesIdempotencyKey(operation)) return idempotencyHeader
  return takesIfMatch(operation) ? ifMatchHeader : undefined
}

const isVersionedRead = (operation: Operation): boolean => operation.method === 'GET' && isVersioned(operation, 200)

const notModified = (operation: Operation) => ({
  description: 'Not modified: `If-None-Match` names the current `ETag`',
  headers: headerRefs(operation, 304),
})

/** Path parameters, each with its example beside the schema: operations with the same id share the schema. */
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

- **Credentials.** Send an API key, or a token of the service's issuer, as \`Authorization: Bearer …\`. Each operation names the scope it requires. *Create an org key* creates keys; create the first one with a sign-in token of an owner or admin. On your machine, \`npm run dev\` writes keys and tokens to \`.local/dev.json\`.
- **Errors.** Errors of the service are \`application/problem+json\` (RFC 9457), with \`code\`, \`request_id\` and \`retryable\`. \`errors\` lists each invalid field. API Gateway itself can answer any operation with 413, 429, 500 or 503: \`application/json\` with only a \`message\`.
- **Methods.** Every GET operation also answers HEAD, without a body. A method that the path does not support returns 405; \`Allow\` lists the supported methods. An unknown path returns 404.
- **Retries.** A POST repeated with the same \`Idempotency-Key\` within 24 hours takes effect once. For other changes, \`If-Match\` with an \`ETag\` prevents overwriting a newer version. For reads, \`If-None-Match\` returns 304 without a body if nothing changed.
- **Lists.** Set \`limit\`, and pass \`next_cursor\` of the previous page as \`cursor\`. null: last page.
- **Limits.** \`RateLimit\` on every authenticated response shows the credential's remaining requests. After a 429, wait for the seconds in \`Retry-After\`.

${problemSections()}`

/** Purpose of each group of operations. */
const tagTexts: Readonly<Record<string, string>> = {
  'API keys': 'Create, list, rotate and revoke keys for servers, apps and browsers, and list their scopes.',
  Audit: 'List and verify the audit events: who changed which resource, and when, in a hash chain.',
  'Cloud connections': 'Connect accounts at cloud AI providers, test their keys and list their models.',
  'Cloud credentials': 'Store encrypted provider keys for inference. Keys are never returned.',
  'Cloud policy': 'Control when inference may fall back to the cloud, with which keys and providers.',
  Execution: 'Manage the runtimes that serve inference, their routing and their health.',
  Billing: 'Plan, subscription, Stripe checkout and portal, and invoices.',
  'Organization settings': 'Governance settings, such as second-factor sign-in and audit retention.',
  'Sign-in': 'How members sign in: SSO, SCIM and the primary mode.',
  Policies: 'Serving, telemetry and privacy policies.',
  Integrations: 'Destinations for notifications and data: chat, paging, e-mail, webhooks and monitoring.',
  'Usage limits': 'Usage limits of the organization, up to its plan’s ceilings.',
  Usage: 'What the organization used: records, counters by month and day.',
  Webhooks: 'Endpoints that other services call, such as Stripe.',
  Meta: 'Health and documentation. No credential required.',
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
        securitySchemes: { ...securitySchemes, basic: basicScheme },
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
