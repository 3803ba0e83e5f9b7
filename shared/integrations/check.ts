/**
 * Checks the configuration of an integration without network access: missing fields, placeholders, and hints for fixing
 * them.
 */

import { type Obstacle, obstacleOf, type Surroundings } from './entity.ts'
import { looksLikePlaceholder } from './placeholder.ts'
import { type IntegrationRecord, type KeptSecret, type KeptValue, shownField } from './record.ts'
import { type FieldSpec, specOf } from './types.ts'

export interface Check {
  field: string
  level: 'ok' | 'warning' | 'error'
  code: 'ok' | 'missing_field' | 'missing_recommended' | 'placeholder' | 'insecure_transport' | 'disabled' | Obstacle
  message: string
}

/** At least one check for every field of the type, and for the integration as a whole. */
export function checkIntegration(
  integration: IntegrationRecord,
  surroundings: Surroundings,
): { valid: boolean; checks: Check[] } {
  const fields = Object.entries(specOf(integration.type).fields)
  const checks = fields.flatMap(([name, spec]) => checkField(`config.${name}`, spec, integration.config[name]))
  if (!integration.enabled) {
    checks.push({
      field: 'enabled',
      level: 'warning',
      code: 'disabled',
      message: 'A disabled integration sends nothing. Set enabled to true.',
    })
  }
  const obstacle = obstacleOf(integration.type, surroundings)
  if (obstacle) checks.push({ field: 'type', level: 'error', code: obstacle, message: obstacleMessages[obstacle] })
  return { valid: checks.every(({ level }) => level !== 'error'), checks }
}

const obstacleMessages: Readonly<Record<Obstacle, string>> = {
  plan_feature_missing: 'The organization’s plan does not include this type, so nothing is sent. Upgrade the plan.',
  no_mail_sender: 'This stage has no mail sender, so nothing is sent. Ask the operator to set one.',
}

function checkField(field: string, spec: FieldSpec, value: KeptValue): Check[] {
  if (value === undefined) return missing(field, spec)
  if (isPlaceholder(spec, value)) {
    return [
      {
        field,
        level: 'warning',
        code: 'placeholder',
        message: `This looks like a placeholder. To fix it: ${spec.hint}.`,
      },
    ]
  }
  const shown = shownField(spec, value)
  if (typeof shown === 'string' && /^http:/i.test(shown)) {
    const message = 'Data and headers travel unencrypted. Use https unless the receiver is in your private network.'
    return [{ field, level: 'warning', code: 'insecure_transport', message }]
  }
  return [{ field, level: 'ok', code: 'ok', message: 'The format is valid.' }]
}

function missing(field: string, { need, hint }: FieldSpec): Check[] {
  if (need === 'required')
    return [{ field, level: 'error', code: 'missing_field', message: `This field is required: ${hint}.` }]
  if (need === 'recommended')
    return [{ field, level: 'warning', code: 'missing_recommended', message: `This field is recommended: ${hint}.` }]
  return []
}

/** This code cannot decrypt secrets. Whether they look like placeholders was stored when they were written. */
function isPlaceholder({ keeping }: FieldSpec, value: KeptValue): boolean {
  if (keeping === 'plain') return [value].flat().some((part) => looksLikePlaceholder(String(part)))
  if (typeof value === 'string') return looksLikePlaceholder(value)
  const secrets = keeping === 'secret_map' ? Object.values(value as Record<string, KeptSecret>) : [value as KeptSecret]
  return secrets.some(({ placeholder }) => placeholder)
}
