import { requireFeatures } from '../../shared/billing/plan-limit.ts'
import { commitUpdate, requireRecordMatch } from '../../shared/http/record-answers.ts'
import { serve } from '../../shared/http/serve.ts'
import { mergeConfig, requireSecretsAgain } from '../../shared/integrations/config.ts'
import { featuresOf, integrations, secretsOf } from '../../shared/integrations/entity.ts'
import { afterPatch } from '../../shared/integrations/former-secret.ts'
import { readPatch } from '../../shared/integrations/patch.ts'
import { getRecord } from '../../shared/storage/record.ts'
import { updateIntegration } from './contract.ts'

/** Applies the fields that can change, and names the others in the answer. */
export const handler = serve(updateIntegration, async ({ caller, params, body, headers, now, commit }) => {
  const { orgId } = caller
  const before = await getRecord(integrations, orgId, params.integration_id)
  const { fields, config: changes, ignored_fields } = readPatch(before.type, body)
  requireRecordMatch(headers, integrations, before)
  requireSecretsAgain(before.type, before.config, changes)
  const isSwitchedOn = fields.enabled === true && !before.enabled
  await requireFeatures(orgId, now, isSwitchedOn ? featuresOf(before.type, 'enabled') : {})
  const config = await mergeConfig(before.type, before.config, changes, secretsOf(orgId, before.id))
  const after = afterPatch(before, { ...fields, config, updated_at: now.toISOString() })
  const answer = await commitUpdate({ caller, commit }, integrations, before, after)
  return { ...answer, body: { ...answer.body, ignored_fields } }
})
