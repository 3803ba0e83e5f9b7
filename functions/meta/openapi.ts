import openapi from '../../docs/openapi.json' with { type: 'json' }
import { etagOf } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { getOpenApi } from './contract.ts'

const headers = { etag: etagOf(openapi), 'cache-control': 'public, max-age=300' }

/** The committed document; a check fails when it does not match the contracts. */
export const handler = serve(getOpenApi, () => ({ status: 200, body: openapi, headers }))
