import { serveDeletion } from '../../shared/http/serve-records.ts'
import { integrations } from '../../shared/integrations/entity.ts'
import { deleteIntegration } from './contract.ts'

/** Deletes an integration. A second call answers 404. */
export const handler = serveDeletion(deleteIntegration, integrations)
