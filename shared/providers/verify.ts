/** Tests a customer's key by listing the provider's models, and words the result for people. */

import { call, type OutboundAnswer, OutboundError } from '../outbound/call.ts'
import { diagnostic } from '../outbound/diagnostic.ts'
import { repeatsSecret } from '../outbound/echo.ts'
import { ProblemError } from '../problem.ts'
import type { Secret } from '../secrets/secret.ts'
import { isModelId } from './model-id.ts'
import { apiRootOf, type Provider, type ProviderName, providers, type Verdict } from './providers.ts'

/** The result of one attempt. `unreachable`: no response from the provider. */
export interface Attempt {
  verdict: Verdict | 'unreachable'
  /** Null if verified. */
  error: string | null
  latencyMs: number
  /** Status of the provider's response; null without one. */
  status: number | null
  /** Sorted and unique; null unless verified. */
  models: string[] | null
}

/** The provider and endpoint that a key is for. */
export interface KeyedProvider {
  provider: ProviderName
  base_url: string | null
}

/** Lists the models. A failure of the provider is a result, not an error. */
export async function attempt({ provider, base_url }: KeyedProvider, key: Secret): Promise<Attempt> {
  const row = providers[provider]
  const started = performance.now()
  try {
    const answer = await call(apiRootOf(provider, base_url) + row.modelsPath, row.headers(key.reveal()))
    return judged(row, answer, key)
  } catch (error) {
    if (!(error instanceof OutboundError)) throw error
    const verdict = error.fault === 'too_large' ? 'provider_error' : 'unreachable'
    const latencyMs = Math.round(performance.now() - started)
    return { verdict, error: error.message, latencyMs, status: error.status, models: null }
  }
}

function judged(row: Provider, { status, body, contentType, latencyMs }: OutboundAnswer, key: Secret): Attempt {
  const text = textOf(body)
  const answer = parsed(text)
  const said = row.verdictOf?.(status, text) ?? verdictOf(status, text)
  const models = said === 'verified' ? modelIds(row, answer, key) : undefined
  if (said === 'verified' && models) return { verdict: 'verified', error: null, latencyMs, status, models }
  const reason =
    said === 'verified'
      ? `a response that is not a list of models (${contentType || 'no content type'})`
      : (wordsIn(answer, text, contentType) ?? 'no readable reason')
  const error = `${row.label} answered ${status}: ${diagnostic(reason, [key])}`
  return { verdict: said === 'verified' ? 'provider_error' : said, error, latencyMs, status, models: null }
}

const statusVerdicts: Readonly<Record<number, Verdict>> = {
  200: 'verified',
  401: 'invalid_credential',
  402: 'quota_exhausted',
  403: 'insufficient_permission',
}

/** How providers report a used-up quota, as opposed to a rate limit. */
const usedUp =
  /exceeded[_ ](?:your[_ ])?current[_ ]quota|insufficient[_ ](?:quota|balance|funds|credits?)|billing_hard_limit|billing_not_active|credit balance is too low|(?:out of|no remaining|used all available) credits/i

function verdictOf(status: number, text: string): Verdict {
  if ((status === 429 || status === 403) && usedUp.test(text)) return 'quota_exhausted'
  if (status === 429) return 'rate_limited'
  return statusVerdicts[status] ?? 'provider_error'
}

/** The text of a response. Some servers put a byte order mark before their JSON. */
export const textOf = (body: Buffer): string => body.toString('utf8').replace(/^\ufeff/, '')

/** The error message in a response of any media type. */
export const wordsIn = (answer: unknown, text: string, contentType: string): string | undefined =>
  answer === undefined ? plainWords(text, contentType) : wordsOf(answer)

/** The message in a response that is not JSON: the title of a page, or the text. */
function plainWords(text: string, contentType: string): string | undefined {
  const isPage = /html/i.test(contentType) || /^\s*<(?:!doctype|html)/i.test(text)
  const words = isPage ? /<title[^>]*>([^<]{1,300})<\/title>/i.exec(text)?.[1] : text
  return words?.trim() || undefined
}

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The valid model ids. Invalid entries say nothing about the key; ids that repeat the key are dropped. */
function modelIds(row: Provider, answer: unknown, key: Secret): string[] | undefined {
  const listed = row.modelIds(answer)
  const ids = listed?.filter(isModelId)
  if (!listed || !ids || (ids.length === 0 && listed.length > 0)) return undefined
  return [...new Set(ids.filter((id) => !repeatsSecret(id, key)))].sort()
}

/** A limit, since a hostile response can nest as deep as it is long. */
const maxDepth = 5

/** The error message in the formats of providers: `{ error: { message } }`, `{ error }`, `{ message }`, … */
function wordsOf(answer: unknown, depth = 0): string | undefined {
  if (typeof answer !== 'object' || answer === null || depth > maxDepth) return undefined
  if (Array.isArray(answer)) return wordsOf(answer[0], depth + 1)
  for (const name of ['error', 'message', 'detail', 'status_msg', 'base_resp', 'title']) {
    const value = (answer as Record<string, unknown>)[name]
    if (typeof value === 'string' && value !== '') return value
    const inner = wordsOf(value, depth + 1)
    if (inner !== undefined) return inner
  }
  return undefined
}

/** A failed attempt as an error, for operations that cannot answer otherwise. */
export const upstreamProblem = ({ verdict, status, error }: Attempt): ProblemError =>
  new ProblemError('upstream_error', error ?? 'The provider failed.', {
    retryable: verdict === 'unreachable' || verdict === 'rate_limited' || (status !== null && status >= 500),
  })
