/** The cloud AI providers that an organization can bring its own key for: one row each, from their public references. */
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
  'openai_compatible',
] as const
export type ProviderName = (typeof providerNames)[number]

export const providerField = lazy(() => z.enum(providerNames).meta({ description: 'The cloud AI provider.' }))

/** What an answer of a provider says of the key. */
export type Verdict =
  | 'verified'
  | 'invalid_credential'
  | 'insufficient_permission'
  | 'quota_exhausted'
  | 'rate_limited'
  | 'provider_error'

export interface Provider {
  /** For people. */
  label: string
  /** The root of its API; null where each organization names its own. */
  baseUrl: string | null
  /** Lists models, costs nothing, and needs a key that works. */
  modelsPath: string
  /** The header that the key travels in, and those that must go with it. */
  headers(key: string): Record<string, string>
  /** The ids in the parsed answer; undefined when it is not the answer that is expected. */
  modelIds(answer: unknown): unknown[] | undefined
  /** Where the provider's statuses mean other than what they say (RFC 9110). `text` is the body. */
  verdictOf?(status: number, text: string): Verdict | undefined
}

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

const member = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined

const idsIn = (list: unknown, name: string): unknown[] | undefined =>
  Array.isArray(list) ? list.map((entry) => member(entry, name)) : undefined

/** Those that speak OpenAI's protocol: `GET /models` answers `{ data: [{ id }] }`. */
const openAiLike = (label: string, baseUrl: string | null, differing: Partial<Provider> = {}): Provider => ({
  label,
  baseUrl,
  modelsPath: '/models',
  headers: bearer,
  modelIds: (answer) => idsIn(member(answer, 'data'), 'id'),
  ...differing,
})

/** MiniMax answers 200 whatever happened; what did is in `base_resp.status_code`. */
const minimaxVerdicts: Readonly<Record<string, Verdict>> = {
  '1002': 'rate_limited',
  '1004': 'invalid_credential',
  '1008': 'quota_exhausted',
  '1039': 'rate_limited',
  '2049': 'invalid_credential',
}

export const providers: Readonly<Record<ProviderName, Provider>> = {
  openai: openAiLike('OpenAI', 'https://api.openai.com/v1'),
  anthropic: openAiLike('Anthropic', 'https://api.anthropic.com/v1', {
    modelsPath: '/models?limit=1000',
    headers: (key) => ({ 'x-api-key': key, 'anthropic-version': '2023-06-01' }),
  }),
  groq: openAiLike('Groq', 'https://api.groq.com/openai/v1'),
  together: openAiLike('Together AI', 'https://api.together.xyz/v1', { modelIds: (answer) => idsIn(answer, 'id') }),
  moonshot: openAiLike('Moonshot AI', 'https://api.moonshot.ai/v1'),
  minimax: openAiLike('MiniMax', 'https://api.minimax.io/v1', {
    verdictOf: (_status, text) => minimaxVerdicts[/"status_code"\s*:\s*(\d+)/.exec(text)?.[1] ?? ''],
  }),
  deepseek: openAiLike('DeepSeek', 'https://api.deepseek.com'),
  google: openAiLike('Google Gemini', 'https://generativelanguage.googleapis.com/v1beta', {
    modelsPath: '/models?pageSize=1000',
    headers: (key) => ({ 'x-goog-api-key': key }),
    modelIds: (answer) =>
      idsIn(member(answer, 'models'), 'name')?.map((name) =>
        typeof name === 'string' ? name.replace(/^models\//, '') : name,
      ),
    verdictOf: (status, text) =>
      status === 400 && /API_KEY_INVALID|API key (?:not valid|expired)/i.test(text) ? 'invalid_credential' : undefined,
  }),
  mistral: openAiLike('Mistral AI', 'https://api.mistral.ai/v1'),
  xai: openAiLike('xAI', 'https://api.x.ai/v1', {
    verdictOf: (status, text) => (status === 400 && /incorrect api key/i.test(text) ? 'invalid_credential' : undefined),
  }),
  // Its list of all models answers to anybody, so that it says nothing of a key.
  openrouter: openAiLike('OpenRouter', 'https://openrouter.ai/api/v1', { modelsPath: '/models/user' }),
  fireworks: openAiLike('Fireworks AI', 'https://api.fireworks.ai/inference/v1'),
  cerebras: openAiLike('Cerebras', 'https://api.cerebras.ai/v1'),
  openai_compatible: openAiLike('The provider', null),
}

/**
 * The root of a provider's API: the organization's own, else the one that the stage names (an egress gateway, a regional
 * endpoint: `openai=https://eu.api.openai.com/v1`), else the provider's.
 */
export function apiRootOf(name: ProviderName, ownBaseUrl: string | null): string {
  const named = environmentList('providerBaseUrls').find((entry) => entry.startsWith(`${name}=`))
  const root = ownBaseUrl ?? named?.slice(name.length + 1) ?? providers[name].baseUrl
  if (root === null) throw new TypeError(`a connection to ${name} must have a base URL`)
  return root
}
