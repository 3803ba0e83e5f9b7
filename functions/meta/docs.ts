import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Answer } from '../../shared/http/answer.ts'
import { referencePage } from '../../shared/http/reference-page.ts'
import { servePublic } from '../../shared/http/serve-public.ts'
import { getDocs } from './contract.ts'

const page = referencePage()

/** Answers the page, and the script that it asks for, under one route. */
export const handler = servePublic(getDocs, ({ query, headers }) =>
  query.asset ? script(/\bgzip\b/.test(headers['accept-encoding'] ?? '')) : page,
)

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
