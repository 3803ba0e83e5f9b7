/** Smoke checks of the documents: both OpenAPI descriptions, the reference page, and the script that it loads. */
import { type Finding, fail, ok, warn } from './checks.ts'
import { brief, jsonOf, type SmokeCheck } from './smoke-context.ts'
import type { Call, Reply, Send } from './smoke-http.ts'

export const documentChecks: readonly SmokeCheck[] = [
  { name: 'openapi-v1', run: ({ send }) => openApi(send, '/api/v1/openapi.json') },
  { name: 'openapi-v2', run: ({ send }) => openApi(send, '/api/v2/openapi.json') },
  { name: 'docs-page', run: ({ send }) => docsPage(send) },
  { name: 'docs-script', run: ({ send }) => docsScript(send) },
]

async function openApi(send: Send, path: string): Promise<Finding> {
  const reply = await send({ path })
  const { openapi, paths } = jsonOf(reply)
  const count = Object.keys(paths ?? {}).length
  if (reply.status === 200 && typeof openapi === 'string' && count > 0) return ok(`OpenAPI ${openapi}, ${count} paths`)
  return fail(`200 with an OpenAPI document at ${path}`, brief(reply), 'deploy the function meta/openapi again')
}

const maxRedirects = 3

async function follow(send: Send, call: Call): Promise<Reply> {
  let reply = await send(call)
  for (let count = 0; count < maxRedirects && isRedirect(reply); count++) {
    reply = await send({ ...call, path: new URL(reply.headers.location ?? '', reply.url).href })
  }
  return reply
}

const isRedirect = ({ status, headers }: Reply): boolean =>
  status >= 300 && status < 400 && headers.location !== undefined

const page = { path: '/api/v1/docs', headers: { accept: 'text/html' } }
const redeploy = 'deploy the reference page again: npm run deploy'

async function docsPage(send: Send): Promise<Finding> {
  const reply = await follow(send, page)
  const type = reply.headers['content-type'] ?? 'no media type'
  if (reply.status !== 200 || !type.startsWith('text/html'))
    return fail('200 as text/html', `${brief(reply)} as ${type}`, redeploy)
  const policy = reply.headers['content-security-policy'] ?? ''
  // A stage without the web stacks answers a page that links the documents, and runs no script.
  const isStrict = reply.text.includes('<script') ? /\bscript-src\b/.test(policy) : policy !== ''
  if (isStrict) return ok()
  return fail('a Content-Security-Policy with script-src', 'none', 'send the header that referencePage() makes')
}

async function docsScript(send: Send): Promise<Finding> {
  const html = await follow(send, page)
  const [, source] = /<script[^>]*\ssrc="([^"]+)"/.exec(html.text) ?? []
  if (source === undefined) return warn('the page loads no script', 'set the option web to on, and deploy again')
  const script = await follow(send, {
    path: new URL(source.replaceAll('&amp;', '&'), html.url).href,
    headers: { 'accept-encoding': 'gzip' },
  })
  const type = script.headers['content-type'] ?? 'no media type'
  if (script.status === 200 && /\bjavascript\b/.test(type) && script.text !== '') return ok()
  return fail('200 with a script', `${brief(script)} as ${type}`, redeploy)
}
