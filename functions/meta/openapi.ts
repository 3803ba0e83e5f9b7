import { etagOf, type JsonAnswer } from '../../shared/http/answer.ts'
import type { BodyOf } from '../../shared/http/operation.ts'
import { servePublic } from '../../shared/http/serve-public.ts'
import { lazy } from '../../shared/lazy.ts'
import { getOpenApi } from './contract.ts'

type Document = BodyOf<typeof getOpenApi, 200>

const answerOf = (document: Document): JsonAnswer<Document, 200> => ({
  status: 200,
  body: document,
  headers: { etag: etagOf(document), 'cache-control': 'public, max-age=300' },
})

/** The committed documents, which a check holds against the contracts; read on first request, not at the cold start. */
const ours = lazy(async () => answerOf((await import('#openapi', { with: { type: 'json' } })).default))
const published = lazy(async () => answerOf((await import('#published-openapi', { with: { type: 'json' } })).default))

/** The OpenAPI document of the face that the path names. */
export const handler = servePublic(getOpenApi, ({ path }) => (path.startsWith('/api/v1/') ? published() : ours()))
