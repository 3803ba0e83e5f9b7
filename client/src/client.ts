/** The client: calls by method and path, typed by the API's own description. */
import createClient from 'openapi-fetch'
import type { HttpMethod } from 'openapi-typescript-helpers'
import type { Answer, Call, EntryOf, ListPath, OptionsArgument, PagedPath, PageOf } from './operations.ts'
import { entriesOf, pagesFrom } from './pages.ts'
import { defaultRetryRules, type RetryRules, retrying, type Send } from './retry.ts'
import type { paths } from './schema.ts'

/** An API key or a token; or what gives one, asked before each attempt, so that a token can be renewed in time. */
export type Credential = string | (() => string | Promise<string>)

export interface SettingsClientOptions {
  /** Where the API is, without `/api/v1`: `https://api.example.com`. */
  baseUrl: string
  /** May be left out for the operations that are public. */
  credential?: Credential | undefined
  /** What differs from the default rules. */
  retries?: Partial<RetryRules>
  /** Sends a request in place of `fetch`. */
  fetch?: Send
}

export interface SettingsClient {
  GET: Call<'get'>
  POST: Call<'post'>
  PUT: Call<'put'>
  PATCH: Call<'patch'>
  DELETE: Call<'delete'>
  /** The pages of what is answered in pages. */
  pages<Path extends PagedPath>(path: Path, ...options: OptionsArgument<Path, 'get'>): AsyncIterable<PageOf<Path>>
  /** The entries of a list, over all of its pages. */
  entries<Path extends ListPath>(path: Path, ...options: OptionsArgument<Path, 'get'>): AsyncIterable<EntryOf<Path>>
}

/** What is common to the options of all calls, once the types have done their work. */
interface AnyOptions {
  params?: { query?: Record<string, unknown>; header?: Record<string, string> }
  signal?: AbortSignal
}

type AnyCall = (path: string, options?: AnyOptions) => Promise<Answer<unknown>>
type AnyPage = { next_cursor: string | null; data: readonly unknown[] }

/**
 * A client of one API with one credential. A call answers what succeeded, and throws `ProblemError` or `NoAnswerError`
 * after it has been repeated as far as that may help.
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
    // The API redirects nowhere; a credential does not follow whoever says it does.
    redirect: 'manual',
    fetch: retrying(send, rules, (request) => authorize(request, credential)),
  })
  const method =
    (name: HttpMethod): AnyCall =>
    async (path, options = {}) => {
      requireHeaderValues(options)
      const { data, response } = await request(name, path, name === 'post' ? withIdempotencyKey(options) : options)
      return {
        data,
        status: response.status,
        etag: response.headers.get('etag') ?? undefined,
        replayed: response.headers.get('idempotency-replayed') === 'true',
        headers: response.headers,
      }
    }
  // Between here and the typed surface paths and options are plain; `Call` has checked that they belong together.
  const request = client.request as (
    name: HttpMethod,
    path: string,
    options: AnyOptions,
  ) => Promise<{ data?: unknown; response: Response }>
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

async function authorize(request: Request, credential: Credential | undefined): Promise<void> {
  if (credential === undefined) return
  const token = typeof credential === 'string' ? credential : await credential()
  // Said here: the platform's own complaint about such a header repeats the secret.
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new TypeError('the credential is empty, or holds a blank, a line break or a character that no token has')
  }
  request.headers.set('authorization', `Bearer ${token}`)
}

/** A header that is left out for want of a value would leave a change unguarded, or let it happen twice. */
function requireHeaderValues({ params }: AnyOptions): void {
  for (const [name, value] of Object.entries(params?.header ?? {})) {
    if (value === undefined) throw new TypeError(`the header ${name} is undefined; leave it out, or give it a value`)
  }
}

const idempotencyHeader = 'Idempotency-Key'

/** Made once a call, so that its repetitions are known for what they are. */
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
