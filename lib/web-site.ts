/**
 * The files that the Web stack publishes. A file under `assets/` has its digest in its name and never changes; the others are
 * pages, published together under the digest of all pages.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { lazy } from '../shared/lazy.ts'

export interface WebSite {
  /** The contents by path. */
  files: ReadonlyMap<string, Buffer>
  /** The digest of all pages. */
  version: string
  /** The script of the reference page. */
  reference: { path: string; integrity: string }
}

export const assetsFolder = 'assets/'

/** The page for an unknown path. */
export const notFoundPage = '404.html'

/** Builds the site, once per process: the same sources give the same bytes. */
export const webSite = lazy((): WebSite => {
  const script = Buffer.from(referenceScript())
  const path = `${assetsFolder}reference-${digest('sha256', script, 'hex').slice(0, 16)}.js`
  const pages = new Map([[notFoundPage, Buffer.from(notFound)]])
  return {
    files: new Map([...pages, [path, script]]),
    version: versionOf(pages),
    reference: { path, integrity: `sha384-${digest('sha384', script, 'base64')}` },
  }
})

/** Scalar's browser build, started with our settings. */
export function referenceScript(): string {
  const scalar = createRequire(import.meta.url).resolve('@scalar/api-reference/browser/standalone.js')
  return `${readFileSync(scalar, 'utf8')}\n${start}`
}

/** Adds the settings of the page (`shared/http/reference-page.ts`). Addresses are relative to the page. */
const start = `Scalar.createApiReference('#reference', {
  sources: [
    { title: 'Settings API (/api/v2)', slug: 'v2', url: '../v2/openapi.json' },
    { title: 'Published records (/api/v1)', slug: 'v1', url: 'openapi.json' },
  ],
  withDefaultFonts: false,
  telemetry: false,
  hideClientButton: true,
  hideModels: true,
  agent: { disabled: true },
  mcp: { disabled: true },
  showDeveloperTools: 'never',
  defaultHttpClient: { targetKey: 'shell', clientKey: 'curl' },
  ...JSON.parse(document.getElementById('reference').dataset.settings ?? '{}'),
})
`

const notFound = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Not found</title>
<link rel="icon" href="data:,">
</head>
<body>
<h1>Not found</h1>
<p>This address has no page.</p>
</body>
</html>
`

function versionOf(pages: ReadonlyMap<string, Buffer>): string {
  const all = [...pages].map(([path, content]) => `${path} ${digest('sha256', content, 'hex')}\n`)
  return digest('sha256', all.join(''), 'hex').slice(0, 16)
}

const digest = (algorithm: 'sha256' | 'sha384', content: string | Buffer, encoding: 'hex' | 'base64'): string =>
  createHash(algorithm).update(content).digest(encoding)
