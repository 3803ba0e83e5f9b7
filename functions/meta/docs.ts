import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Answer } from '../../shared/http/answer.ts'
import { servePublic } from '../../shared/http/serve-public.ts'
import { getDocs } from './contract.ts'

/** Answers the page, and the script that it asks for, under one route. */
export const handler = servePublic(getDocs, ({ query, headers }) =>
  query.asset ? script(/\bgzip\b/.test(headers['accept-encoding'] ?? '')) : page,
)

const startScript = `Scalar.createApiReference('#reference', {
  url: 'openapi.json',
  withDefaultFonts: false,
  telemetry: false,
  hideClientButton: true,
  hideModels: true,
  agent: { disabled: true },
  mcp: { disabled: true },
  showDeveloperTools: 'never',
  defaultHttpClient: { targetKey: 'shell', clientKey: 'curl' },
})`

const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Octomil settings API</title>
<link rel="icon" href="data:,">
</head>
<body>
<noscript>This page needs JavaScript. The API is described in <a href="openapi.json">openapi.json</a>.</noscript>
<div id="reference"></div>
<script src="docs?asset=reference.js"></script>
<script>${startScript}</script>
</body>
</html>
`

/** The policy holds the page to its promise: a script of any other host is not run, a call to it is not made. */
const contentSecurityPolicy = [
  "default-src 'none'",
  `script-src 'self' 'sha256-${createHash('sha256').update(startScript).digest('base64')}'`,
  "style-src 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const page: Answer = {
  status: 200,
  raw: { body: html, isBase64Encoded: false },
  headers: {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'public, max-age=300',
    'content-security-policy': contentSecurityPolicy,
  },
}

let compressed: Promise<Buffer> | undefined

/** Scalar's browser build, gzipped on first request where the client takes it: 3.6 MB become 1 MB. */
async function script(acceptsGzip: boolean): Promise<Answer> {
  const file = createRequire(import.meta.url).resolve('@scalar/api-reference/browser/standalone.js')
  const headers = {
    'content-type': 'text/javascript; charset=utf-8',
    'cache-control': 'public, max-age=86400',
    vary: 'accept-encoding',
  }
  if (!acceptsGzip) return { status: 200, raw: { body: await readFile(file, 'utf8'), isBase64Encoded: false }, headers }
  compressed ??= readFile(file).then((content) => promisify(gzip)(content))
  const body = (await compressed).toString('base64')
  return { status: 200, raw: { body, isBase64Encoded: true }, headers: { ...headers, 'content-encoding': 'gzip' } }
}
