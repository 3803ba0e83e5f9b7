import { serveRecord } from '../../shared/http/serve-records.ts'
import { integrations } from '../../shared/integrations/entity.ts'
import { getIntegration } from './contract.ts'

/** One integration, its secrets masked. */
export const handler = serveRecord(getIntegration, integrations)
