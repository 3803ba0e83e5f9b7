/** The rows of the table, each against a server that answers as the provider's public reference documents. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  apiRootOf,
  type ProviderName,
  providerNames,
  providersWithoutRoot,
} from '../../../shared/providers/providers.ts'
import { attempt } from '../../../shared/providers/verify.ts'
import { Secret } from '../../../shared/secrets/secret.ts'
import { json, raw, startProvider, type TestProvider } from '../../support/provider.ts'

const key = 'key-4Tn2Zq8Rw6Yb0Lx3Vm'
const bearer = { authorization: `Bearer ${key}` }

interface Row {
  /** The root of its API, spelled from the provider's reference; null where the organization names it. */
  root: string | null
  path: string
  headers: Record<string, string>
  /** The answer of its reference, shortened to what matters. */
  answer: unknown
  ids: string[]
  /** How it says that a key is wrong. */
  refusal: [status: number, body: unknown]
}

const list = (...ids: string[]) => ({ object: 'list', data: ids.map((id) => ({ id, object: 'model', created: 1 })) })
const like = (root: string, ...ids: string[]): Row => ({
  root,
  path: '/models',
  headers: bearer,
  answer: list(...ids),
  ids: [...ids].sort(),
  refusal: [401, { error: { message: 'Invalid API Key', type: 'invalid_request_error', code: 'invalid_api_key' } }],
})

const rows: Record<ProviderName, Row> = {
  openai: like('https://api.openai.com/v1', 'gpt-5', 'gpt-4o-mini', 'text-embedding-3-small'),
  anthropic: {
    root: 'https://api.anthropic.com/v1',
    path: '/models?limit=1000',
    headers: { 'x-api-key': key, 'anthropic-version': '2023-06-01' },
    answer: {
      data: [
        { type: 'model', id: 'claude-sonnet-4-20250514', display_name: 'Claude Sonnet 4', created_at: '2025-02-19' },
        { type: 'model', id: 'claude-3-5-haiku-20241022', display_name: 'Claude Haiku 3.5', created_at: '2024-10-22' },
      ],
      first_id: 'claude-sonnet-4-20250514',
      has_more: false,
      last_id: 'claude-3-5-haiku-20241022',
    },
    ids: ['claude-3-5-haiku-20241022', 'claude-sonnet-4-20250514'],
    refusal: [401, { type: 'error', error: { type: 'authentication_error', message: 'invalid x-api-key' } }],
  },
  groq: like('https://api.groq.com/openai/v1', 'llama-3.3-70b-versatile', 'gemma2-9b-it'),
  together: {
    ...like('https://api.together.xyz/v1'),
    answer: [
      { id: 'meta-llama/Llama-3.3-70B-Instruct-Turbo', object: 'model', type: 'chat', organization: 'Meta' },
      { id: 'Qwen/Qwen2.5-7B-Instruct-Turbo', object: 'model', type: 'chat', organization: 'Qwen' },
    ],
    ids: ['Qwen/Qwen2.5-7B-Instruct-Turbo', 'meta-llama/Llama-3.3-70B-Instruct-Turbo'],
  },
  moonshot: like('https://api.moonshot.ai/v1', 'moonshot-v1-8k', 'kimi-k2-0711-preview'),
  minimax: {
    ...like('https://api.minimax.io/v1', 'MiniMax-M2', 'MiniMax-M1'),
    refusal: [200, { base_resp: { status_code: 1004, status_msg: 'login fail' } }],
  },
  deepseek: like('https://api.deepseek.com', 'deepseek-reasoner', 'deepseek-chat'),
  google: {
    root: 'https://generativelanguage.googleapis.com/v1beta',
    path: '/models?pageSize=1000',
    headers: { 'x-goog-api-key': key },
    answer: {
      models: [
        { name: 'models/gemini-2.5-pro', version: '2.5', supportedGenerationMethods: ['generateContent'] },
        { name: 'models/embedding-001', version: '001', supportedGenerationMethods: ['embedContent'] },
      ],
    },
    ids: ['embedding-001', 'gemini-2.5-pro'],
    refusal: [
      400,
      {
        error: {
          code: 400,
          message: 'API key not valid. Please pass a valid API key.',
          status: 'INVALID_ARGUMENT',
          details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'API_KEY_INVALID' }],
        },
      },
    ],
  },
  mistral: like('https://api.mistral.ai/v1', 'mistral-large-latest', 'codestral-latest'),
  xai: {
    ...like('https://api.x.ai/v1', 'grok-4', 'grok-3-mini'),
    refusal: [400, { code: 'Client specified an invalid argument', error: `Incorrect API key provided: ke***3Vm.` }],
  },
  openrouter: {
    ...like('https://openrouter.ai/api/v1'),
    path: '/models/user',
    answer: { data: [{ id: 'openai/gpt-5', name: 'GPT-5', pricing: {} }, { id: 'anthropic/claude-sonnet-4' }] },
    ids: ['anthropic/claude-sonnet-4', 'openai/gpt-5'],
    refusal: [401, { error: { message: 'No auth credentials found', code: 401 } }],
  },
  fireworks: {
    ...like('https://api.fireworks.ai'),
    path: '/v1/accounts/fireworks/models?pageSize=200',
    answer: {
      models: [{ name: 'accounts/fireworks/models/b' }, { name: 'accounts/fireworks/models/a' }],
      totalSize: 2,
    },
    ids: ['accounts/fireworks/models/a', 'accounts/fireworks/models/b'],
  },
  cerebras: like('https://api.cerebras.ai/v1', 'llama3.1-8b', 'llama-3.3-70b'),
  azure_openai: {
    ...like('', 'gpt-4.1', 'gpt-4.1-mini'),
    root: null,
    path: '/openai/v1/models',
    headers: { 'api-key': key },
    refusal: [
      401,
      { error: { code: '401', message: 'Access denied due to invalid subscription key or wrong API endpoint.' } },
    ],
  },
  openai_compatible: { ...like('', 'local-model'), root: null },
}

let server: TestProvider
beforeEach(async () => {
  server = await startProvider()
})
afterEach(() => {
  vi.unstubAllEnvs()
  server.close()
})

/** One attempt at the provider, aimed at the server by the stage, or by the organization where it has the word. */
function tryAt(provider: ProviderName, root = `${server.url}/root`) {
  vi.stubEnv('PROVIDER_BASE_URLS', `other=http://127.0.0.1:9,${provider}=${root}`)
  return attempt({ provider, base_url: providersWithoutRoot.includes(provider) ? root : null }, new Secret(key))
}

test('there are fifteen providers', () => {
  expect([...providerNames].sort()).toEqual(Object.keys(rows).sort())
  expect(providerNames.length).toBe(15)
})

test.each(['', '/openai', '/openai/v1'])('an Azure resource may be named as its clients name it, with %j', (suffix) => {
  const resource = 'https://my-resource.openai.azure.com'
  expect(apiRootOf('azure_openai', resource + suffix)).toBe(resource)
  expect(apiRootOf('openai_compatible', resource + suffix)).toBe(resource + suffix)
})

describe.each(Object.entries(rows) as [ProviderName, Row][])('%s', (provider, row) => {
  test('is called at its own root, which a stage may replace, or the organization where it has the word', () => {
    if (row.root === null) expect(() => apiRootOf(provider, null)).toThrow(TypeError)
    else expect(apiRootOf(provider, null)).toBe(row.root)
    expect(apiRootOf(provider, 'https://own.example.com/v1')).toBe('https://own.example.com/v1')
    vi.stubEnv('PROVIDER_BASE_URLS', `x${provider}=https://a.example.com,${provider}=https://b.example.com/v9`)
    expect(apiRootOf(provider, null)).toBe('https://b.example.com/v9')
  })

  test('gets one request, with the key in its header and nowhere else', async () => {
    server.answer(json(row.answer))
    await tryAt(provider)
    const [request, ...more] = server.requests
    expect(more).toEqual([])
    expect(request).toMatchObject({ method: 'GET', path: `/root${row.path}`, headers: row.headers })
    const { host: _host, ...sent } = request?.headers ?? {}
    expect(sent).toEqual({
      accept: 'application/json',
      'accept-encoding': 'identity',
      connection: 'close',
      'user-agent': 'octomil-settings/0.0.0-test',
      ...row.headers,
    })
    expect(request?.path).not.toContain(key)
  })

  test('answers with ids that are read, sorted, each once', async () => {
    server.answer(json(row.answer))
    expect(await tryAt(provider)).toEqual({
      verdict: 'verified',
      error: null,
      latencyMs: expect.any(Number),
      status: 200,
      models: row.ids,
    })
    const twice = Array.isArray(row.answer)
      ? [...row.answer, ...row.answer]
      : Object.fromEntries(
          Object.entries(row.answer as object).map(([name, value]) => [
            name,
            Array.isArray(value) ? [...value, ...value].reverse() : value,
          ]),
        )
    server.answer(json(twice))
    expect((await tryAt(provider)).models).toEqual(row.ids)
  })

  test('refuses a wrong key in its own way, and that is understood', async () => {
    const [status, body] = row.refusal
    server.answer(json(body, status))
    const attempted = await tryAt(provider)
    expect(attempted).toMatchObject({ verdict: 'invalid_credential', status, models: null })
    expect(attempted.error).toMatch(new RegExp(`answered ${status}: \\S`))
    expect(attempted.error).not.toContain('no readable reason')
  })

  const isNamed = provider === 'google' || provider === 'fireworks'
  const listOf = (entries: object[]) => (isNamed ? { models: entries } : { data: entries })
  const entryOf = (id: unknown) => (isNamed ? { name: id } : { id })

  test('is believed with the ids that are there, and not with a list that has none', async () => {
    const noIds = ['', ' ', 'a ', ' a', 'a\nb', '\u0000', 'a\u202eb', 'x'.repeat(309), 7, null, undefined, {}, ['a']]
    for (const id of noIds) {
      server.answer(json(listOf([entryOf('good'), entryOf(id)])))
      expect(await tryAt(provider), String(id)).toMatchObject({ verdict: 'verified', models: ['good'] })
      server.answer(json(listOf([entryOf(id)])))
      expect(await tryAt(provider), String(id)).toMatchObject({ verdict: 'provider_error', status: 200, models: null })
    }
    for (const body of [null, {}, 'models', 7, true, { data: {} }, { data: null }, { models: 'x' }, [1], [[]]]) {
      server.answer(json(body))
      const { verdict, error } = await tryAt(provider)
      expect([verdict, error], JSON.stringify(body)).toEqual([
        'provider_error',
        expect.stringMatching(/answered 200: a response that is not a list of models \(application\/json\)$/),
      ])
    }
  })

  test('drops an id that repeats the key in any spelling', async () => {
    const bytes = Buffer.from(key)
    const spellings = [
      key,
      key.toUpperCase(),
      [...key].reverse().join(''),
      [...key].join('-'),
      bytes.toString('hex'),
      bytes.toString('base64'),
      bytes.toString('base64url'),
      Buffer.from(`x${key}`).toString('base64'),
      Buffer.from(`xy${key}y`).toString('base64'),
      [...bytes].map((byte) => `%${byte.toString(16)}`).join(''),
    ]
    for (const id of spellings) {
      server.answer(json(listOf([entryOf('good'), entryOf(`m/${id}`)])))
      expect((await tryAt(provider)).models, id).toEqual(['good'])
      server.answer(json({ error: { message: `the key ${id} is wrong` } }, 401))
      expect((await tryAt(provider)).error, id).not.toContain(id)
    }
  })

  test('with a list that is empty has a key that works', async () => {
    server.answer(json(listOf([])))
    expect(await tryAt(provider)).toMatchObject({ verdict: 'verified', models: [], error: null })
  })
})

test('MiniMax reports its result in the body, with any status', async () => {
  const verdicts: [number, string][] = [
    [1002, 'rate_limited'],
    [1004, 'invalid_credential'],
    [1008, 'quota_exhausted'],
    [1039, 'rate_limited'],
    [2049, 'invalid_credential'],
    [1000, 'provider_error'],
    [1013, 'provider_error'],
  ]
  for (const [status_code, verdict] of verdicts) {
    server.answer(json({ base_resp: { status_code, status_msg: 'what happened' } }))
    expect(await tryAt('minimax'), String(status_code)).toMatchObject({ verdict, models: null })
  }
  server.answer(json({ ...list('MiniMax-M2'), base_resp: { status_code: 0, status_msg: 'success' } }))
  expect(await tryAt('minimax')).toMatchObject({ verdict: 'verified', models: ['MiniMax-M2'] })
})

test('Google’s and xAI’s other 400s are no word on the key', async () => {
  for (const provider of ['google', 'xai'] as const) {
    server.answer(json({ error: { message: 'pageSize is too large' } }, 400))
    expect((await tryAt(provider)).verdict).toBe('provider_error')
  }
})

test.each([
  ['a bare list', [{ id: 'a' }]],
  ['an envelope', { object: 'list', data: [{ id: 'a' }] }],
])('those that speak OpenAI’s protocol may answer %s, after a byte order mark too', async (_what, answer) => {
  for (const provider of ['openai_compatible', 'together', 'groq'] as const) {
    server.answer(raw(`\ufeff${JSON.stringify(answer)}`, 200, { 'content-type': 'application/json' }))
    expect((await tryAt(provider)).models).toEqual(['a'])
  }
})

test.each([
  [429, { error: { type: 'exceeded_current_quota_error', message: 'Your account is suspended' } }],
  [403, { error: { type: 'exceeded_current_quota_error', message: 'Your account is suspended' } }],
  [403, { error: { code: 'insufficient_quota' } }],
])('%i with %j says that the quota is used up', async (status, body) => {
  server.answer(json(body, status))
  expect((await tryAt('moonshot')).verdict).toBe('quota_exhausted')
})

test('a provider’s plain text is shown, and of an HTML page its title', async () => {
  server.answer(raw('Access denied:\n error code 1010', 403, { 'content-type': 'text/plain' }))
  expect((await tryAt('groq')).error).toBe('Groq answered 403: Access denied: error code 1010')
  server.answer(raw('<html><head><title>Just a moment</title></head></html>', 503, { 'content-type': 'text/html' }))
  expect((await tryAt('groq')).error).toBe('Groq answered 503: Just a moment')
})
