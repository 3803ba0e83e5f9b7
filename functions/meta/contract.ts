/** Public operations that describe the service. */
import * as z from 'zod'
import { operation } from '../../shared/http/operation.ts'

const tag = 'Meta'

export const getHealth = operation({
  id: 'meta.health',
  route: 'GET /api/v1/health',
  tag,
  scope: 'public',
  summary: 'Liveness',
  description: 'Confirms that the service responds, and returns its version and commit.',
  answers: () => ({
    200: z
      .object({
        status: z.literal('ok'),
        version: z.string(),
        commit: z.string().meta({
          description:
            'First 12 digits of the git commit, with `-dirty` if files differed from it. `unknown` if there was none.',
        }),
        stage: z.string(),
      })
      .meta({ id: 'Health' }),
  }),
  refusals: ['method_not_allowed'],
  access: { table: [] },
})

export const getAuditKey = operation({
  id: 'meta.audit-key',
  route: 'GET /api/v1/audit-key',
  tag,
  scope: 'public',
  summary: 'Public keys of the audit trail',
  description:
    'Returns the keys that verify checkpoints, as a JWK set (RFC 7517). Retired keys stay in it. Keep a copy: it is what you verify exports with.',
  answers: () => ({ 200: z.object({ keys: z.array(jwkSchema()) }).meta({ id: 'JwkSet' }) }),
  refusals: ['method_not_allowed', 'service_unavailable'],
  access: { table: ['Query'], auditKey: 'read' },
})

const jwkSchema = () =>
  z.object({
    kty: z.literal('EC'),
    crv: z.literal('P-256'),
    x: z.string(),
    y: z.string(),
    kid: z.string().meta({ description: 'Thumbprint of the key (RFC 7638).' }),
    alg: z.literal('ES256'),
    use: z.literal('sig'),
  })

export const getOpenApi = operation({
  id: 'meta.openapi',
  route: 'GET /api/v2/openapi.json',
  tag,
  scope: 'public',
  summary: 'OpenAPI description',
  description: 'Returns this API as an OpenAPI 3.1 document, generated from the contracts that validate requests.',
  answers: () => ({ 200: z.record(z.string(), z.json()) }),
  published: [{ id: 'meta.openapi', route: 'GET /api/v1/openapi.json', records: {} }],
  refusals: ['method_not_allowed'],
  access: { table: [] },
})

export const getDocs = operation({
  id: 'meta.docs',
  route: 'GET /api/v1/docs',
  tag,
  scope: 'public',
  summary: 'API reference',
  description: 'Returns the API reference as an HTML page.',
  answers: () => ({ 200: null }),
  refusals: ['method_not_allowed'],
  access: { table: [] },
  mediaTypes: ['text/html'],
})

/** Handles requests that match no operation. */
export const unmatched = operation({
  id: 'meta.unmatched',
  route: '$default',
  tag,
  scope: 'public',
  summary: 'Unknown route',
  description: 'Any path and method without an operation.',
  answers: () => ({}),
  refusals: ['not_found', 'method_not_allowed'],
  access: { table: [] },
})
