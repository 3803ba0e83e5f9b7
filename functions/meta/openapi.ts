import { type Answer, etagOf } from '../../shared/http/answer.ts'
import { servePublic } from '../../shared/http/serve-public.ts'
import { lazy } from '../../shared/lazy.ts'
import { getOpenApi } from './contract.ts'

/** The committed document, which a check holds against the contracts; read on first request, not at the cold start. */
const answer = lazy(async (): Promise<Answer> => {
  const { default: openapi } = await import('#openapi', { with: { type: 'json' } })
  return { status: 200, body: openapi, headers: { etag: etagOf(openapi), 'cache-control': 'public, max-age=300' } }
})

/** This API as an OpenAPI document. */
export const handler = servePublic(getOpenApi, () => answer())
