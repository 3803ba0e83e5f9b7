import { requireFeatures } from '../../shared/billing/plan-limit.ts'
import { serveCreation } from '../../shared/http/serve-creation.ts'
import { mergeConfig } from '../../shared/integrations/config.ts'
import { featuresOf, integrations, secretsOf } from '../../shared/integrations/entity.ts'
import { createIntegration } from './contract.ts'

/** Creates an enabled integration. A later patch can complete its configuration. */
export const handler = serveCreation(createIntegration, {
  kind: integrations,
  idPrefix: 'int',
  build: async ({ caller: { orgId }, body, now }, fresh) => {
    await requireFeatures(orgId, now, featuresOf(body.type, 'type'))
    const { config: given = {}, event_types, ...fields } = body
    const config = await mergeConfig(body.type, {}, given, secretsOf(orgId, fresh.id))
    return { ...fresh, ...fields, enabled: true, config, event_types: event_types ?? undefined }
  },
})
