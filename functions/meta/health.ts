import { ok } from '../../shared/http/answer.ts'
import { servePublic } from '../../shared/http/serve-public.ts'
import { environment } from '../../shared/runtime/environment.ts'
import { getHealth } from './contract.ts'

/** Answers as long as the function runs; it asks nobody, so that a slow table does not look like a dead service. */
export const handler = servePublic(getHealth, () =>
  ok({
    status: 'ok',
    version: environment('serviceVersion') ?? 'unknown',
    commit: environment('commit') ?? 'unknown',
    stage: environment('stage') ?? 'unknown',
  }),
)
