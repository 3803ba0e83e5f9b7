/** The page of the API reference: Scalar, started with our settings and held to this host by its policy. */
import { createHash } from 'node:crypto'
import type { Answer } from './answer.ts'

/** The page. `settings` are added to those of Scalar; the local service fills in a token with them. */
export function referencePage(settings: object = {}): Answer {
  const script = startScript(settings)
  return {
    status: 200,
    raw: { body: html(script), isBase64Encoded: false },
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'public, max-age=300',
      'content-security-policy': contentSecurityPolicy(script),
    },
  }
}

const startScript = (settings: object) => `Scalar.createApiReference('#reference', {
  sources: [
    { title: 'Settings API (/api/v2)', url: '../v2/openapi.json' },
    { title: 'Published records (/api/v1)', url: 'openapi.json' },
  ],
  withDefaultFonts: false,
  telemetry: false,
  hideClientButton: true,
  hideModels: true,
  agent: { disabled: true },
  mcp: { disabled: true },
  showDeveloperTools: 'never',
  defaultHttpClient: { targetKey: 'shell', clientKey: 'curl' },
  ...${JSON.stringify(settings).replaceAll('<', '\\u003c')},
})`

const html = (script: string) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Octomil settings API</title>
<link rel="icon" href="data:,">
</head>
<body>
<noscript>This page needs JavaScript. The API is described in <a href="../v2/openapi.json">openapi.json</a>.</noscript>
<div id="reference"></div>
<script src="docs?asset=reference.js"></script>
<script>${script}</script>
</body>
</html>
`

/** The browser loads scripts from this host only, and calls no other host. */
const contentSecurityPolicy = (script: string) =>
  [
    "default-src 'none'",
    `script-src 'self' 'sha256-${createHash('sha256').update(script).digest('base64')}'`,
    "style-src 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
