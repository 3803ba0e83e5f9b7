/** Reads and checks the request against its contract: size, media type, JSON, then every field at once. */
import * as z from 'zod'
import { dotted, faultsOf, parseOptions, unknownField } from '../faults.ts'
import { isPastInstant } from '../fields.ts'
import { withoutKeys } from '../pasted-credentials.ts'
import { type InputFault, invalidInput, notFound, ProblemError } from '../problem.ts'
import type { Exchange } from './exchange.ts'
import { whereBroken } from './malformed-json.ts'
import { missingOrgFaults } from './named-org.ts'
import { type Operation, takesIdempotencyKey } from './operation.ts'
import type { Published, Wire } from './published.ts'

export const bodyLimitBytes = 256 * 1024

/**
 * Sets the exchange's input.
 *
 * @throws ProblemError `payload_too_large`, `unsupported_media_type`, `invalid_input`, `not_found` for a malformed id
 */
export function validate(operation: Operation, exchange: Exchange): void {
  try {
    validateInput(operation, exchange)
  } catch (error) {
    throw error instanceof ProblemError && error.details.errors ? withoutKeysIn(error.details.errors) : error
  }
}

/** A field can have the name of a key: callers paste keys anywhere. */
const withoutKeysIn = (faults: readonly InputFault[]): ProblemError =>
  invalidInput(
    faults.map((fault) => ({ ...fault, path: withoutKeys(fault.path), message: withoutKeys(fault.message) })),
  )

function validateInput(operation: Operation, exchange: Exchange): void {
  const body = operation.body ? readBody(operation, exchange) : undefined
  const faults: InputFault[] = [...missingOrgFaults(operation, exchange), ...idempotencyKeyFaults(operation, exchange)]
  let onlyPast = faults.length === 0
  const parse = (schema: z.ZodType, value: unknown): unknown => {
    const result = schema.safeParse(value, parseOptions)
    if (result.success) return result.data
    faults.push(...faultsOf(result.error))
    onlyPast &&= result.error.issues.every(isPastInstant)
    return undefined
  }
  const { org_id: _org, ...query } = exchange.query
  const { published } = exchange
  exchange.sent = { query, body, params: exchange.pathParameters }
  exchange.input = published
    ? { ...publishedInput(operation, exchange, published, body, parse), params: {} }
    : {
        // A misspelled filter must not return unfiltered data. Public operations have no filters: they accept any query.
        query: operation.scope === 'public' ? parse(operation.query, query) : parse(strict(operation.query), query),
        body: operation.body ? parse(operation.body, body) : undefined,
        params: {},
      }
  // An instant may pass before a replay. So the search for a kept answer comes before this refusal.
  if (onlyPast && hasIdempotencyKey(operation, exchange))
    exchange.pastFault = faults.length > 0 ? invalidInput(faults) : undefined
  else if (faults.length > 0) throw invalidInput(faults)
  const hidden = hiddenMember(body)
  if (hidden) throw invalidInput([unknownField(hidden)])
  const params = operation.params.safeParse(exchange.pathParameters)
  // A malformed id cannot exist.
  if (!params.success) throw notFound()
  exchange.input.params = params.data
}

/** Making a schema takes longer than parsing with it. */
function strict(schema: z.ZodObject): z.ZodObject {
  const made = stricts.get(schema) ?? schema.strict()
  stricts.set(schema, made)
  return made
}
const stricts = new WeakMap<z.ZodObject, z.ZodObject>()

type Parse = (schema: z.ZodType, value: unknown) => unknown

/** Validates the published record. Then validates its translation by the operation's own schema. */
function publishedInput(operation: Operation, exchange: Exchange, published: Published, body: unknown, parse: Parse) {
  const { org_id: _org, ...query } = exchange.query
  const wire = published.wire?.() ?? {}
  const theirs = theirInput(operation, wire, { query, body }, parse)
  if (theirs === undefined) return { query: {}, body: undefined }
  const { limit } = operation.query.shape
  const input = { query: parse(operation.query, limit ? { ...query, limit: String(wire.pageSize ?? 100) } : query) }
  if (!operation.body) return { ...input, body: undefined }
  const context = { orgId: exchange.caller?.orgId ?? '', query: theirs.query, now: exchange.now }
  const ours = wire.toInput ? wire.toInput(theirs.body as never, context) : theirs.body
  return { ...input, body: ourBody(operation, wire.input ?? operation.body, ours, parse) }
}

/** The request by the published record; undefined after a fault. */
function theirInput(
  operation: Operation,
  wire: Wire,
  sent: { query: unknown; body: unknown },
  parse: Parse,
): { query: Record<string, string>; body: unknown } | undefined {
  const ownQuery = operation.query.shape.limit ? operation.query.omit({ limit: true }) : operation.query
  const query = parse((wire.query ?? ownQuery).strict(), sent.query) as Record<string, string> | undefined
  // Without a record in the published contract, the body has no fields.
  const body = operation.body ? parse(wire.body ?? z.strictObject({}), sent.body) : undefined
  return query === undefined || (operation.body && body === undefined) ? undefined : { query, body }
}

/** Names of the published face may be longer, and are already checked. A patch may be empty there. */
function ourBody(operation: Operation, schema: z.ZodType, body: unknown, parse: Parse): unknown {
  if (typeof body !== 'object' || body === null) return parse(schema, body)
  if (operation.method === 'PATCH' && Object.keys(body).length === 0) return {}
  const { name, ...rest } = body as Record<string, unknown>
  if (name === undefined) return parse(schema, rest)
  const parsed = parse(schema, { ...rest, name: 'checked' })
  return parsed === undefined ? undefined : { ...(parsed as object), name }
}

const idempotencyKeyPattern = /^[\x20-\x7e]{1,255}$/

/** Keys belong to a principal. Public operations have none, so they ignore the header. */
const hasIdempotencyKey = (operation: Operation, { headers }: Exchange): boolean =>
  takesIdempotencyKey(operation) && headers['idempotency-key'] !== undefined

function idempotencyKeyFaults(operation: Operation, exchange: Exchange): InputFault[] {
  const key = exchange.headers['idempotency-key']
  if (!hasIdempotencyKey(operation, exchange) || idempotencyKeyPattern.test(key ?? '')) return []
  return [{ path: 'Idempotency-Key', code: 'invalid_header', message: 'must be 1 to 255 printable ASCII characters' }]
}

function readBody(operation: Operation, { rawBody, headers, method }: Exchange): unknown {
  if (rawBody.byteLength > bodyLimitBytes) {
    throw new ProblemError('payload_too_large', `The body is larger than ${bodyLimitBytes / 1024} KiB.`)
  }
  const { form } = operation
  const isSentAsForm = form !== undefined && isForm(headers['content-type'])
  // A form without parameters is an empty body.
  if (rawBody.byteLength === 0 && !isSentAsForm) {
    if (operation.bodyMayBeAbsent) return {}
    const message = form ? 'a JSON body or a form is required' : 'a JSON body is required'
    throw invalidInput([{ path: '', code: 'missing_body', message }])
  }
  refuseEncoded(headers['content-encoding'])
  const text = (code: MalformedCode) => decode(rawBody, headers['content-length'], code)
  if (isSentAsForm) return form.toBody(formParameters(text('malformed_form')))
  requireJson(headers['content-type'], method, form !== undefined)
  return readJson(text('malformed_json'))
}

function readJson(text: string): unknown {
  const value = parseJson(text)
  // UTF-8 cannot encode a lone surrogate, so only an escape can produce one. Most bodies have no such escape.
  const broken = surrogateEscape.test(text) ? brokenString(value) : undefined
  if (broken) {
    throw invalidInput([{ path: dotted(broken), code: 'invalid_unicode', message: 'holds half of a surrogate pair' }])
  }
  return value
}

const mediaTypeOf = (contentType: string | undefined): string | undefined =>
  contentType?.split(';', 1)[0]?.trim().toLowerCase()

const formMediaType = 'application/x-www-form-urlencoded'
const isForm = (contentType: string | undefined): boolean => mediaTypeOf(contentType) === formMediaType

/** The parameters of a form. RFC 6749, section 3.2: none may be repeated. */
function formParameters(text: string): ReadonlyMap<string, string> {
  const parameters = [...new URLSearchParams(text)]
  const repeated = new Set(parameters.map(([name]) => name).filter((name, index, names) => names.indexOf(name) < index))
  if (repeated.size > 0)
    throw invalidInput([...repeated].map((path) => ({ path, code: 'repeated_field', message: 'must be sent once' })))
  return new Map(parameters)
}

function requireJson(contentType: string | undefined, method: string, mayBeForm: boolean): void {
  const mediaType = mediaTypeOf(contentType)
  if (mediaType === 'application/json') return
  if (mediaType === 'application/merge-patch+json' && method === 'PATCH') return
  throw new ProblemError(
    'unsupported_media_type',
    mayBeForm
      ? `The body must be JSON or a form, sent as Content-Type: application/json or ${formMediaType}.`
      : 'The body must be JSON, sent as Content-Type: application/json.',
  )
}

function refuseEncoded(contentEncoding = ''): void {
  const encoding = contentEncoding
    .split(',')
    .map((coding) => coding.trim())
    .find((coding) => coding !== '' && coding.toLowerCase() !== 'identity')
  if (encoding === undefined) return
  throw new ProblemError(
    'unsupported_media_type',
    'The body must not be compressed: send it without a Content-Encoding other than identity.',
    { headers: { 'accept-encoding': 'identity' } },
  )
}

const surrogateEscape = /\\u[dD][89a-fA-F]/

function decode(bytes: Uint8Array, contentLength: string | undefined, code: MalformedCode): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    if (!wasRepaired(text, bytes, contentLength)) return text
  } catch {
    // Reported below.
  }
  throw malformed(code, 'is not valid UTF-8; encode it as UTF-8')
}

/**
 * Whether the gateway replaced invalid UTF-8 by U+FFFD. The replacement changes the length, so it no longer equals the
 * client's Content-Length.
 */
const wasRepaired = (text: string, bytes: Uint8Array, contentLength: string | undefined): boolean =>
  contentLength !== undefined && text.includes('\ufffd') && Number(contentLength) !== bytes.byteLength

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw malformed('malformed_json', `is not valid JSON${whereBroken(text)}`)
  }
}

type MalformedCode = 'malformed_json' | 'malformed_form'

const malformed = (code: MalformedCode, how: string): ProblemError =>
  invalidInput([{ path: '', code, message: `the body ${how}` }])

/**
 * The path of the first string that UTF-8 cannot encode. DynamoDB would store a different string, and the hash of its audit
 * event would not match.
 */
function brokenString(root: unknown): readonly PropertyKey[] | undefined {
  for (const { path, name, value } of partsOf(root)) {
    if (!name.isWellFormed()) return path.slice(0, -1)
    if (typeof value === 'string' && !value.isWellFormed()) return path
  }
  return undefined
}

/** The path of the first member named `__proto__`, which zod's record schemas drop silently. */
function hiddenMember(root: unknown): readonly PropertyKey[] | undefined {
  for (const { path, name } of partsOf(root)) if (name === '__proto__') return path
  return undefined
}

interface Part {
  path: readonly string[]
  name: string
  value: unknown
}

/** No schema has deeper fields. A deeper fault gets the path of its container at this depth. */
const maxPathDepth = 16

/** A value and all nested values. Without recursion: a deeply nested body must not overflow the stack. */
function* partsOf(root: unknown): Generator<Part> {
  const rest: Part[] = [{ path: [], name: '', value: root }]
  for (let part = rest.pop(); part; part = rest.pop()) {
    yield part
    const { path, value } = part
    if (typeof value !== 'object' || value === null) continue
    for (const [name, inner] of Object.entries(value)) {
      rest.push({ path: path.length < maxPathDepth ? [...path, name] : path, name, value: inner })
    }
  }
}
