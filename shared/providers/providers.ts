/**
 * Cloud AI providers for which an organization can bring its own key, one row each. Each row follows the public
 * reference that it names; checked 2026-11. To update a row, read its reference.
 */
import * as z from 'zod'
import { lazy } from '../lazy.ts'
import { environmentList } from '../runtime/environment.ts'

export const providerNames = [
  'openai',
  'anthropic',
  'groq',
  'together',
  'moonshot',
  'minimax',
  'deepseek',
  'google',
  'mistral',
  'xai',
  'openrouter',
  'fireworks',
  'cerebras',
  'azure_openai',
  'openai_compatible',
] as const
export type ProviderName = (typeof providerNames)[number]

export const providerField = lazy(() => z.enum(providerNames).meta({ description: 'The cloud AI provider.' }))

/** The provider's verdict on a key. */
export type Verdict =
  | 'verified'
  | 'invalid_credential'
  | 'insufficient_permission'
  | 'quota_exhausted'
  | 'rate_limited'
  | 'provider_error'

export interface Provider {
  /** The name for people. */
  label: string
  /** The source of the row. */
  reference: string
  /** The root of its API; null: each organization names one. */
  baseUrl: string | null
  /** A path that the provider's own clients append to the root, where users copy the root from a client. */
  rootSuffix?: RegExp
  /** A free endpoint that lists models and needs a valid key. */
  modelsPath: string
  /** The headers that carry the key, and the ones that must accompany it. */
  headers(key: string): Record<string, string>
  /** The model ids in the parsed response; undefined for an unexpected response. */
  modelIds(answer: unknown): unknown[] | undefined
  /** For providers with statuses that differ from RFC 9110. `text` is the body. */
  verdictOf?(status: number, text: string): Verdict | undefined
}

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

const member = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined

const idsIn = (list: unknown, name: string): unknown[] | undefined =>
  Array.isArray(list) ? list.map((entry) => member(entry, name)) : undefined

/** `{ data: [{ id }] }` as OpenAI documents it, or the bare list that some compatible providers return. */
export const openAiIds = (answer: unknown): unknown[] | undefined =>
  idsIn(Array.isArray(answer) ? answer : member(answer, 'data'), 'id')

const namesIn = (answer: unknown): unknown[] | undefined => idsIn(member(answer, 'models'), 'name')

interface Source {
  reference: string
}

/** Providers with OpenAI's protocol: `GET /models`. */
const openAiLike = (label: string, baseUrl: string | null, differing: Source & Partial<Provider>): Provider => ({
  label,
  baseUrl,
  modelsPath: '/models',
  headers: bearer,
  modelIds: openAiIds,
  ...differing,
})

/** MiniMax always answers 200; `base_resp.status_code` has the result. */
const minimaxVerdicts: Readonly<Record<string, Verdict>> = {
  '1002': 'rate_limited',
  '1004': 'invalid_credential',
  '1008': 'quota_exhausted',
  '1039': 'rate_limited',
  '2049': 'invalid_credential',
}

export const providers: Readonly<Record<ProviderName, Provider>> = {
  openai: openAiLike('OpenAI', 'https://api.openai.com/v1', {
    reference: 'https://platform.openai.com/docs/api-reference/models/list',
  }),
  anthropic: openAiLike('Anthropic', 'https://api.anthropic.com/v1', {
    reference: 'https://docs.claude.com/en/api/models-list',
    modelsPath: '/models?limit=1000',
    headers: (key) => ({ 'x-api-key': key, 'anthropic-version': '2023-06-01' }),
  }),
  groq: openAiLike('Groq', 'https://api.groq.com/openai/v1', {
    reference: 'https://console.groq.com/docs/api-reference#models',
  }),
  together: openAiLike('Together AI', 'https://api.together.xyz/v1', {
    reference: 'https://docs.together.ai/reference/models-1',
  }),
  moonshot: openAiLike('Moonshot AI', 'https://api.moonshot.ai/v1', {
    reference: 'https://platform.moonshot.ai/docs/api/misc',
  }),
  minimax: openAiLike('MiniMax', 'https://api.minimax.io/v1', {
    reference: 'https://platform.minimax.io/docs/api-reference/errorcode',
    verdictOf: (_status, text) => minimaxVerdicts[/"status_code"\s*:\s*(\d+)/.exec(text)?.[1] ?? ''],
  }),
  deepseek: openAiLike('DeepSeek', 'https://api.deepseek.com', {
    reference: 'https://api-docs.deepseek.com/api/list-models',
  }),
  google: openAiLike('Google Gemini', 'https://generativelanguage.googleapis.com/v1beta', {
    reference: 'https://ai.google.dev/api/models#method:-models.list',
    modelsPath: '/models?pageSize=1000',
    headers: (key) => ({ 'x-goog-api-key': key }),
    modelIds: (answer) =>
      namesIn(answer)?.map((name) => (typeof name === 'string' ? name.replace(/^models\//, '') : name)),
    verdictOf: (status, text) =>
      status === 400 && /API_KEY_INVALID|API key (?:not valid|expired)/i.test(text) ? 'invalid_credential' : undefined,
  }),
  mistral: openAiLike('Mistral AI', 'https://api.mistral.ai/v1', {
    reference: 'https://docs.mistral.ai/api/endpoint/models',
  }),
  xai: openAiLike('xAI', 'https://api.x.ai/v1', {
    reference: 'https://docs.x.ai/docs/api-reference#list-models',
    verdictOf: (status, text) => (status === 400 && /incorrect api key/i.test(text) ? 'invalid_credential' : undefined),
  }),
  // Its list of all models needs no key, so it cannot verify one.
  openrouter: openAiLike('OpenRouter', 'https://openrouter.ai/api/v1', {
    reference: 'https://openrouter.ai/docs/api/api-reference/models/list-models-user',
    modelsPath: '/models/user',
  }),
  // Its OpenAI-like list is undocumented and answers 500 to accounts without deployments.
  fireworks: openAiLike('Fireworks AI', 'https://api.fireworks.ai', {
    reference: 'https://docs.fireworks.ai/api-reference/list-models',
    modelsPath: '/v1/accounts/fireworks/models?pageSize=200',
    modelIds: namesIn,
  }),
  cerebras: openAiLike('Cerebras', 'https://api.cerebras.ai/v1', {
    reference: 'https://inference-docs.cerebras.ai/api-reference/models/list-models',
  }),
  // A key belongs to one resource; the host of the resource is the root. Since v1 no API version is needed.
  azure_openai: openAiLike('Azure OpenAI', null, {
    reference: 'https://learn.microsoft.com/en-us/rest/api/microsoft-foundry/azureopenai/models',
    modelsPath: '/openai/v1/models',
    headers: (key) => ({ 'api-key': key }),
    rootSuffix: /\/openai(?:\/v1)?$/,
  }),
  openai_compatible: openAiLike('The provider', null, {
    reference: 'https://platform.openai.com/docs/api-reference/models/list',
  }),
}

/** Providers without a fixed root: each organization names one. */
export const providersWithoutRoot: readonly ProviderName[] = providerNames.filter(
  (name) => providers[name].baseUrl === null,
)

/**
 * The root of a provider's API: the organization's, else the stage's (an egress gateway or a regional endpoint:
 * `openai=https://eu.api.openai.com/v1`), else the provider's.
 */
export function apiRootOf(name: ProviderName, ownBaseUrl: string | null): string {
  const named = environmentList('providerBaseUrls').find((entry) => entry.startsWith(`${name}=`))
  const root = ownBaseUrl ?? named?.slice(name.length + 1) ?? providers[name].baseUrl
  if (root === null) throw new TypeError(`a connection to ${name} must have a base URL`)
  const { rootSuffix } = providers[name]
  return rootSuffix ? root.replace(rootSuffix, '') : root
}
