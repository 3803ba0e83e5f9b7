/** The client: calls by method and path, typed by the OpenAPI document. */
import createClient from 'openapi-fetch'
import type { HttpMethod } from 'openapi-typescript-helpers'
import type { Answer, Call, EntryOf, ListPath, OptionsArgument, PagedPath, PageOf } from './operations.ts'
import { entriesOf, pagesFrom } from './pages.ts'
import { defaultRetryRules, type RetryRules, retrying, type Send } from './retry.ts'
import type { paths } from './schema.ts'

/** An API key or a token, or a function that returns one. The client calls it before each attempt, so tokens can be renewed. */
export type Credential = string | (() => string | Promise<string>)

export interface SettingsClientOptions {
  /** Base URL of the API, without `/api/v1`: `https://api.example.com`. */
  baseUrl: string
  /** Optional for public operations. */
  credential?: Credential | undefined
  /** Overrides of the default retry rules. */
  retries?: Partial<RetryRules>
  /** Replaces `fetch`. */
  fetch?: Send
}

export interface SettingsClient {
  GET: Call<'get'>
  POST: Call<'post'>
  PUT: Call<'put'>
  PATCH: Call<'patch'>
  DELETE: Call<'delete'>
  /** The pages of a paginated operation. */
  pages<Path extends PagedPath>(path: Path, ...options: OptionsArgument<Path, 'get'>): AsyncIterable<PageOf<Path>>
  /** The entries of a list, over all of its pages. */
  entries<Path extends ListPath>(path: Path, ...options: OptionsArgument<Path, 'get'>): AsyncIterable<EntryOf<Path>>
}

/** Options of any call, without their exact types. */
interface AnyOptions {
  params?: { query?: Record<string, unknown>; header?: Record<string, string> }
  signal?: AbortSignal
}

type AnyResult = { data?: unknown; response: Response }
type AnyRequest = (name: HttpMethod, path: string, options: AnyOptions) => Promise<AnyResult>
type AnyCall = (path: string, options?: AnyOptions) => Promise<Answer<unknown>>
type AnyPage = { next_cursor: string | null; data: readonly unknown[] }

/**
 * A client of one API with one credential. A call returns the success, or throws `ProblemError` or `NoAnswerError` after its
 * retries.
 */
export function createSettingsClient({
  baseUrl,
  credential,
  retries,
  fetch: send = (request) => fetch(request),
}: SettingsClientOptions): SettingsClient {
  const rules = { ...defaultRetryRules, ...retries }
  const client = createClient<paths>({
    baseUrl,
    // The API never redirects. The credential must not follow a redirect to another host.
    redirect: 'manual',
    fetch: retrying(send, rules, (request) => authorize(request, credential)),
  })
  // Paths and options are untyped below this point; `Call` has checked that they match.
  const request = client.request as AnyRequest
  const method =
    (name: HttpMethod): AnyCall =>
    async (path, options = {}) => {
      requireHeaderValues(options)
      return answerOf(await request(name, path, name === 'post' ? withIdempotencyKey(options) : options))
    }
  const get = method('get')
  const pages = (path: string, options: AnyOptions = {}) =>
    pagesFrom(cursorOf(options), async (cursor) => (await get(path, withCursor(options, cursor))).data as AnyPage)
  const plain = {
    GET: get,
    POST: method('post'),
    PUT: method('put'),
    PATCH: method('patch'),
    DELETE: method('delete'),
    pages,
    entries: (path: string, options?: AnyOptions) => entriesOf(pages(path, options)),
  }
  return plain as unknown as SettingsClient
}

const answerOf = ({ data, response: { status, headers } }: AnyResult): Answer<unknown> => ({
  data,
  status,
  etag: headers.get('etag') ?? undefined,
  replayed: headers.get('idempotency-replayed') === 'true',
  headers,
})

async function authorize(request: Request, credential: Credential | undefined): Promise<void> {
  if (credential === undefined) return
  const token = typeof credential === 'string' ? credential : await credential()
  // Checked here, because the platform's error about such a header contains the secret.
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new TypeError('the credential is empty, or contains a space, a line break or another invalid character')
  }
  request.headers.set('authorization', `Bearer ${token}`)
}

/** Without a value, a missing header would leave a change unguarded or let it happen twice. */
function requireHeaderValues({ params }: AnyOptions): void {
  for (const [name, value] of Object.entries(params?.header ?? {})) {
    if (value === undefined) throw new TypeError(`the header ${name} is undefined; omit it, or set a value`)
  }
}

const idempotencyHeader = 'Idempotency-Key'

/** Created once per call, so that the service recognizes its retries. */
const withIdempotencyKey = (options: AnyOptions): AnyOptions => ({
  ...options,
  params: {
    ...options.params,
    header: { [idempotencyHeader]: crypto.randomUUID(), ...options.params?.header },
  },
})

const cursorOf = ({ params }: AnyOptions): string | undefined => {
  const cursor = params?.query?.cursor
  return typeof cursor === 'string' ? cursor : undefined
}

const withCursor = (options: AnyOptions, cursor: string | undefined): AnyOptions => ({
  ...options,
  params: { ...options.params, query: { ...options.params?.query, ...(cursor === undefined ? {} : { cursor }) } },
})
