/** The local check of an integration: what is missing, what looks like a stand-in, and how to mend it. No network. */

import { looksLikePlaceholder } from './placeholder.ts'
import { type IntegrationRecord, type KeptSecret, type KeptValue, shownField } from './record.ts'
import { type FieldSpec, specOf } from './types.ts'

export interface Check {
  field: string
  level: 'ok' | 'warning' | 'error'
  code: 'ok' | 'missing_field' | 'missing_recommended' | 'placeholder' | 'insecure_transport' | 'disabled'
  message: string
}

/** One check or more for every field of the type, and for the integration as a whole. */
export function checkIntegration(integration: IntegrationRecord): { valid: boolean; checks: Check[] } {
  const fields = Object.entries(specOf(integration.type).fields)
  const checks = fields.flatMap(([name, spec]) => checkField(`config.${name}`, spec, integration.config[name]))
  if (!integration.enabled) {
    checks.push({
      field: 'enabled',
      level: 'warning',
      code: 'disabled',
      message: 'Nothing is sent while it is disabled; set enabled to true.',
    })
  }
  return { valid: checks.every(({ level }) => level !== 'error'), checks }
}

function checkField(field: string, spec: FieldSpec, value: KeptValue): Check[] {
  if (value === undefined) return missing(field, spec)
  if (isPlaceholder(spec, value)) {
    return [
      {
        field,
        level: 'warning',
        code: 'placeholder',
        message: `This looks like a stand-in for the real value; ${spec.hint}.`,
      },
    ]
  }
  const shown = shownField(spec, value)
  if (typeof shown === 'string' && /^http:/i.test(shown)) {
    const message = 'Data and headers travel unencrypted; use https unless the receiver is on a network of your own.'
    return [{ field, level: 'warning', code: 'insecure_transport', message }]
  }
  return [{ field, level: 'ok', code: 'ok', message: 'Has the right shape.' }]
}

function missing(field: string, { need, hint }: FieldSpec): Check[] {
  if (need === 'required') return [{ field, level: 'error', code: 'missing_field', message: `It is needed: ${hint}.` }]
  if (need === 'recommended')
    return [{ field, level: 'warning', code: 'missing_recommended', message: `It is better set: ${hint}.` }]
  return []
}

/** Secrets cannot be read here; how they looked was noted when they were written. */
function isPlaceholder({ keeping }: FieldSpec, value: KeptValue): boolean {
  if (keeping === 'plain') return [value].flat().some((part) => looksLikePlaceholder(String(part)))
  if (typeof value === 'string') return looksLikePlaceholder(value)
  const secrets = keeping === 'secret_map' ? Object.values(value as Record<string, KeptSecret>) : [value as KeptSecret]
  return secrets.some(({ placeholder }) => placeholder)
}
