import { ok } from '../../shared/http/answer.ts'
import { servePublic } from '../../shared/http/serve-public.ts'
import { environment } from '../../shared/runtime/environment.ts'
import { getHealth } from './contract.ts'

/** Answers while the function runs. It reads no table: a slow table must not look like a dead service. */
export const handler = servePublic(getHealth, () =>
  ok({
    status: 'ok',
    version: environment('serviceVersion') ?? 'unknown',
    commit: environment('commit') ?? 'unknown',
    stage: environment('stage') ?? 'unknown',
  }),
)
