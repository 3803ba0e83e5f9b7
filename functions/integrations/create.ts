import { requireFeatures } from '../../shared/billing/plan-limit.ts'
import { recordCreatedAnswer } from '../../shared/http/record-answers.ts'
import { serve } from '../../shared/http/serve.ts'
import { newId } from '../../shared/ids.ts'
import { mergeConfig } from '../../shared/integrations/config.ts'
import { featuresOf, integrations, secretsOf } from '../../shared/integrations/entity.ts'
import type { IntegrationRecord } from '../../shared/integrations/record.ts'
import { recordCreated, requireRoom } from '../../shared/storage/record.ts'
import { createIntegration } from './contract.ts'

/** Creates an integration, enabled, with whatever of its configuration is sent. */
export const handler = serve(createIntegration, async ({ caller, body, now, commit }) => {
  await requireRoom(integrations, caller.orgId)
  await requireFeatures(caller.orgId, now, featuresOf(body.type, 'type'))
  const id = newId('int')
  const at = now.toISOString()
  const config = await mergeConfig(body.type, {}, body.config ?? {}, secretsOf(caller.orgId, id))
  const { config: _sent, event_types, ...fields } = body
  const made = { id, enabled: true, config, created_at: at, updated_at: at, version: 1 }
  const integration: IntegrationRecord = { ...fields, ...made, event_types: event_types ?? undefined }
  const answer = recordCreatedAnswer(integrations, integration, `/api/v2/settings/integrations/${id}`)
  return commit(recordCreated(integrations, caller.orgId, integration), answer)
})
