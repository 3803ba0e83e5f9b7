import { serveDeletion } from '../../shared/http/serve-records.ts'
import { integrations } from '../../shared/integrations/entity.ts'
import { deleteIntegration } from './contract.ts'

/** Deletes an integration; a second time there is nothing to delete. */
export const handler = serveDeletion(deleteIntegration, integrations)
