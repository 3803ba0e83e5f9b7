import { ok } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { compliancePresets } from '../../shared/org-settings/presets.ts'
import { getCompliancePreset } from './contract.ts'

/** The settings of a preset. Changes nothing. */
export const handler = serve(getCompliancePreset, ({ params }) => ok(compliancePresets[params.preset]))
