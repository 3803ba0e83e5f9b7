/** What the service says about itself; public. */
import * as z from 'zod'
import { operation } from '../../shared/http/operation.ts'

const tag = 'Meta'

export const getHealth = operation({
  id: 'meta.health',
  route: 'GET /api/v1/health',
  tag,
  scope: 'public',
  summary: 'Liveness',
  description: 'Says that the service answers, and which version and commit of it.',
  answers: () => ({
    200: z
      .object({
        status: z.literal('ok'),
        version: z.string(),
        commit: z.string().meta({
          description:
            '12 digits of the git commit, with `-dirty` where files differed from it; `unknown` where none was known.',
        }),
        stage: z.string(),
      })
      .meta({ id: 'Health' }),
  }),
  refusals: ['method_not_allowed'],
  access: { table: [] },
})

export const getOpenApi = operation({
  id: 'meta.openapi',
  route: 'GET /api/v2/openapi.json',
  tag,
  scope: 'public',
  summary: 'OpenAPI description',
  description: 'This API as an OpenAPI 3.1 document, generated from the contracts that the service validates with.',
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
  description: 'The API reference as a page for a browser.',
  answers: () => ({ 200: null }),
  refusals: ['method_not_allowed'],
  access: { table: [] },
  mediaTypes: ['text/html'],
})

/** Answers what no operation has. */
export const unmatched = operation({
  id: 'meta.unmatched',
  route: '$default',
  tag,
  scope: 'public',
  summary: 'Unknown route',
  description: 'Any path and method that no operation has.',
  answers: () => ({}),
  refusals: ['not_found', 'method_not_allowed'],
  access: { table: [] },
})
