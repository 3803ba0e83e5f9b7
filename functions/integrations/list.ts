import { serveList } from '../../shared/http/serve-records.ts'
import { integrations } from '../../shared/integrations/entity.ts'
import { toSummary } from '../../shared/integrations/record.ts'
import { listIntegrations } from './contract.ts'

/** Lists summaries, newest first. */
export const handler = serveList(listIntegrations, { ...integrations, shown: toSummary })
