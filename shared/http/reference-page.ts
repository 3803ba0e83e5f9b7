/** The page of the API reference. Its policy lets the browser run one script and call this host only. */
import type { EmptyAnswer } from './answer.ts'

/** The script that draws the reference, built by `lib/web-site.ts`. */
export interface ReferenceScript {
  /** A path of this host, or a URL of the web distribution. */
  url: string
  /** Its digest in the form of the `integrity` attribute; a script of another host needs it. */
  integrity?: string
}

interface ReferencePage {
  /** Without it, the page only links the OpenAPI documents. */
  script?: ReferenceScript | undefined
  /** Added to Scalar's own settings; the local service fills in a token with them. */
  settings?: object
}

/** The page. It needs no inline script: the settings are an attribute that the script reads. */
export function referencePage({ script, settings }: ReferencePage = {}): EmptyAnswer<200> {
  return {
    status: 200,
    raw: { body: html(script, settings), isBase64Encoded: false },
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'public, max-age=300',
      'content-security-policy': contentSecurityPolicy(script),
    },
  }
}

const html = (script?: ReferenceScript, settings?: object): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Octomil settings API</title>
<link rel="icon" href="data:,">
</head>
<body>
<div id="reference"${settings ? ` data-settings="${escaped(JSON.stringify(settings))}"` : ''}>
<h1>Octomil settings API</h1>
<p>OpenAPI documents: <a href="../v2/openapi.json">Settings API (/api/v2)</a>,
<a href="openapi.json">Published records (/api/v1)</a>.</p>
</div>
${script ? scriptTag(script) : ''}
</body>
</html>
`

/** Browsers check `integrity` of another host's script only when they fetch it with CORS. */
const scriptTag = ({ url, integrity }: ReferenceScript): string =>
  `<script src="${escaped(url)}"${integrity ? ` integrity="${integrity}" crossorigin="anonymous"` : ''}></script>`

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')

const contentSecurityPolicy = (script?: ReferenceScript): string =>
  [
    "default-src 'none'",
    ...(script ? [`script-src ${script.url.startsWith('/') ? "'self'" : script.url}`] : []),
    "style-src 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
