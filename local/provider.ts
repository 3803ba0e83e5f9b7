/**
 * A cloud AI provider on loopback that speaks OpenAI's protocol as far as this service calls it: `GET /models` with a key,
 * to try connections and runtimes without an account.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'

export const providerPath = '/local/provider'
/** The accepted key. Other keys are refused as providers do. */
export const providerKey = 'sk-local-7Q2mXw4z0001'

const models = ['llama-3.3-70b', 'mistral-small', 'qwen3-32b']

export function answerAsProvider(request: IncomingMessage, response: ServerResponse): void {
  const { status, body } = answerTo(request.url ?? '', request.headers.authorization)
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function answerTo(path: string, authorization: string | undefined) {
  if (!/^\/local\/provider\/v1\/models(?:\?|$)/.test(path))
    return { status: 404, body: error('not_found', 'This provider has only /v1/models.') }
  if (authorization !== `Bearer ${providerKey}`)
    // Without the key in the message: diagnostics mask everything that looks like a secret.
    return {
      status: 401,
      body: error('invalid_api_key', 'Incorrect API key provided; use the key in the README.'),
    }
  return { status: 200, body: { object: 'list', data: models.map((id) => ({ id, object: 'model' })) } }
}

const error = (code: string, message: string) => ({ error: { code, message, type: 'invalid_request_error' } })
