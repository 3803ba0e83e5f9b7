/** The smoke checks of a deployed API, as a list: behaviour of the real gateway, and faults of a wrong deploy. */
import { type Finding, fail, ok, warn } from './checks.ts'
import { brief, jsonOf, type SmokeCheck, type SmokeContext, unlessProblem } from './smoke-context.ts'
import { documentChecks } from './smoke-docs.ts'
import { NoAnswerError, type Reply, type Send } from './smoke-http.ts'
import { keyLife } from './smoke-key.ts'
import { bodyLimit, forgedWebhook, signedWebhook } from './smoke-webhook.ts'

const healthPath = '/api/v1/health'
const keysPath = '/api/v2/settings/api-keys'

/** In the order in which they run. The first checks that the API is reachable. */
export const smokeChecks: readonly SmokeCheck[] = [
  { name: 'health', run: health },
  { name: 'unknown-path', run: unknownPath },
  { name: 'misspelled-path', run: misspelledPath },
  { name: 'wrong-method', run: wrongMethod },
  { name: 'preflight-open', run: openPreflight },
  { name: 'preflight-closed', run: closedPreflight },
  { name: 'challenge', run: challenge },
  { name: 'head', run: head },
  { name: 'header-limit', run: headerLimit },
  { name: 'body-limit', run: bodyLimit },
  { name: 'gateway-body-limit', run: gatewayBodyLimit },
  ...documentChecks,
  { name: 'key-life', run: keyLife },
  { name: 'webhook-signed', run: signedWebhook },
  { name: 'webhook-forged', run: forgedWebhook },
]

async function health({ send, stage }: SmokeContext): Promise<Finding> {
  const reply = await send({ path: healthPath })
  const { status, version, commit, stage: served } = jsonOf(reply)
  if (reply.status !== 200 || status !== 'ok')
    return fail('200 with status ok', brief(reply), 'see the log of the function meta/health')
  if (stage !== undefined && served !== stage)
    return fail(`stage ${stage}`, `stage ${served}`, `call the address of ${stage}: the output ApiUrl of its Api stack`)
  return ok(`version ${version}${commit === undefined ? '' : ` (${commit})`}, stage ${served}`)
}

/** API Gateway answers 500 when the permission of the function behind `$default` does not match the route's ARN. */
const catchAllFix =
  'compare SourceArn in the permission of the function meta/unmatched with the ARN of the route $default'

async function unknownPath({ send }: SmokeContext): Promise<Finding> {
  const reply = await send({ path: '/api/v2/smoke/no/such/path' })
  return unlessProblem(reply, 404, 'not_found', catchAllFix) ?? ok()
}

async function misspelledPath({ send }: SmokeContext): Promise<Finding> {
  const reply = await send({ path: '/api/v2/settings/api-kyes' })
  const wrong = unlessProblem(reply, 404, 'not_found', catchAllFix)
  if (wrong) return wrong
  const { detail } = jsonOf(reply)
  return String(detail).includes(`did you mean ${keysPath}?`)
    ? ok()
    : fail(`a detail that contains ${keysPath}`, 'another detail', 'deploy the function meta/unmatched again')
}

async function wrongMethod({ send }: SmokeContext): Promise<Finding> {
  const reply = await send({ method: 'DELETE', path: keysPath })
  const wrong = unlessProblem(reply, 405, 'method_not_allowed', catchAllFix)
  if (wrong) return wrong
  const { allow } = reply.headers
  return allow === 'GET, HEAD, POST'
    ? ok()
    : fail('Allow: GET, HEAD, POST', `Allow: ${allow ?? 'absent'}`, 'deploy the function meta/unmatched again')
}

const preflight = (send: Send, path: string): Promise<Reply> =>
  send({
    method: 'OPTIONS',
    path,
    headers: {
      origin: 'https://smoke.invalid',
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'authorization',
    },
  })

/** Publishable keys may read it, so pages of any origin may. */
async function openPreflight({ send }: SmokeContext): Promise<Finding> {
  const reply = await preflight(send, `${keysPath}/scopes`)
  const names = ['access-control-allow-origin', 'access-control-allow-methods', 'access-control-allow-headers']
  const [origin, methods = '', headers = ''] = names.map((name) => reply.headers[name])
  if (reply.status === 204 && origin === '*' && methods.includes('GET') && headers.includes('authorization'))
    return ok()
  return fail(
    '204 that allows any origin, GET and authorization',
    `${brief(reply)}, origin ${origin ?? 'absent'}, methods ${methods || 'absent'}, headers ${headers || 'absent'}`,
    `remove CORS from API Gateway, the functions answer it; ${catchAllFix}`,
  )
}

/** Only dashboards of configured origins may read it. */
async function closedPreflight({ send }: SmokeContext): Promise<Finding> {
  const reply = await preflight(send, keysPath)
  const origin = reply.headers['access-control-allow-origin']
  if (reply.status === 204 && origin === undefined) return ok()
  return fail(
    '204 without Access-Control-Allow-Origin for an unknown origin',
    `${brief(reply)}, origin ${origin ?? 'absent'}`,
    'remove CORS from API Gateway, and check cors_origins of the stage',
  )
}

/**
 * API Gateway renames the header for REST APIs. AWS does not document it for HTTP APIs.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
 */
const renamedChallenge = 'x-amzn-remapped-www-authenticate'

async function challenge({ send }: SmokeContext): Promise<Finding> {
  const reply = await send({ path: keysPath })
  const wrong = unlessProblem(reply, 401, 'authentication_failed', 'see the log of the function api-keys/list')
  if (wrong) return wrong
  const { 'www-authenticate': sent, [renamedChallenge]: renamed } = reply.headers
  if (sent?.startsWith('Bearer ')) return ok()
  if (renamed?.startsWith('Bearer ')) return ok(`renamed by API Gateway to ${renamedChallenge}`)
  return fail('WWW-Authenticate: Bearer …', 'no such header', 'check the headers that the gateway removes')
}

/** HEAD answers the status and the headers of GET, without a body (RFC 9110, section 9.3.2). */
async function head({ send }: SmokeContext): Promise<Finding> {
  const path = '/api/v2/openapi.json'
  const [get, answer] = [await send({ path }), await send({ method: 'HEAD', path })]
  const names = ['content-type', 'etag', 'cache-control']
  const differing = names.filter((name) => get.headers[name] !== answer.headers[name])
  if (answer.status === get.status && answer.text === '' && differing.length === 0) return ok()
  return fail(
    `${get.status} and the headers of GET, without a body`,
    `${answer.status}, ${answer.text.length} characters, differing: ${differing.join(', ') || 'none'}`,
    'route HEAD to the function of GET',
  )
}

/**
 * API Gateway accepts 10,240 bytes of request line and headers, Node's server 16 KiB.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
 */
const tooLargeHeaderBytes = 20 * 1024

async function headerLimit({ send }: SmokeContext): Promise<Finding> {
  const reply = await send({ path: healthPath, headers: { 'x-smoke': 'x'.repeat(tooLargeHeaderBytes) } }).catch(closed)
  if (!('status' in reply)) return reply
  if (reply.status >= 400 && reply.status < 500) return ok(String(reply.status))
  return fail('4xx to 20 KiB of headers', brief(reply), 'see what answers before API Gateway')
}

/** API Gateway accepts 10 MB. https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html */
const tooLargeBodyBytes = 10 * 1024 * 1024 + 1

async function gatewayBodyLimit({ send }: SmokeContext): Promise<Finding> {
  const body = ' '.repeat(tooLargeBodyBytes)
  const reply = await send({ method: 'POST', path: '/api/v1/webhooks/stripe', body }).catch(closed)
  if (!('status' in reply)) return reply
  if (reply.status === 413) return ok()
  return fail('413 to more than 10 MiB', brief(reply), 'see what answers before API Gateway')
}

/** A gateway may close the connection while it refuses; a slow line may need more time. Neither proves a fault. */
function closed(error: unknown): Finding {
  if (!(error instanceof NoAnswerError)) throw error
  return warn(error.message, 'send the request with curl and read the status')
}
