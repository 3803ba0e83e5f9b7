/** Reading an integration for a send: as it is now, with its secrets decrypted. */

import { readPlan } from '../billing/rows.ts'
import { obstacleOf, secretsOf } from '../integrations/entity.ts'
import { type IntegrationRecord, isComplete, type KeptSecret } from '../integrations/record.ts'
import { specOf } from '../integrations/types.ts'
import { dueNowMs } from '../runtime/due-clock.ts'
import { decrypt } from '../secrets/decrypt.ts'
import { Secret } from '../secrets/secret.ts'
import { mailSender } from './mail.ts'
import type { OpenedConfig } from './request.ts'

/** Why nothing is sent to an integration; undefined when it can be sent to. */
export async function hindranceTo(orgId: string, integration: IntegrationRecord | undefined, now: Date) {
  if (!integration) return 'The integration was deleted.'
  if (!integration.enabled) return 'The integration is disabled.'
  const fault = sendFaultOf(integration)
  if (fault) return fault
  const { features, code } = await readPlan(orgId, now)
  const obstacle = obstacleOf(integration.type, { features, sendsMail: true })
  return obstacle ? `The plan ${code} does not include this type.` : undefined
}

export const incomplete = 'The configuration is incomplete: POST …/validate lists the missing fields.'

/** Why an integration of any plan cannot be sent to, enabled or not; undefined when it can. */
export function sendFaultOf(integration: IntegrationRecord): string | undefined {
  if (!isComplete(integration)) return incomplete
  return integration.type === 'email' && mailSender() === undefined ? 'This stage sends no mail.' : undefined
}

export interface OpenIntegration {
  config: OpenedConfig
  /** The former signing secret, while it lives on. */
  replacedSecret: Secret | undefined
}

/** Decrypts all secrets of an integration. */
export async function open(orgId: string, integration: IntegrationRecord): Promise<OpenIntegration> {
  const reveal = (kept: unknown): Promise<Secret> | Secret =>
    // Rows of earlier versions hold endpoints as plain text.
    typeof kept === 'string'
      ? new Secret(kept)
      : decrypt((kept as KeptSecret).ciphertext, secretsOf(orgId, integration.id))
  const { type, former_secret } = integration
  const given = Object.entries(specOf(type).fields).filter(([field]) => integration.config[field] !== undefined)
  const config = await Promise.all(
    given.map(async ([field, { keeping }]): Promise<[string, unknown]> => {
      const kept = integration.config[field]
      if (keeping === 'plain') return [field, kept]
      if (keeping !== 'secret_map') return [field, await reveal(kept)]
      const entries = Object.entries(kept as Record<string, KeptSecret>)
      const revealed = entries.map(async ([header, value]) => [header, await reveal(value)] as const)
      return [field, Object.fromEntries(await Promise.all(revealed))]
    }),
  )
  const livesOn = former_secret !== undefined && former_secret.until_ms > dueNowMs()
  return {
    config: Object.fromEntries(config),
    replacedSecret: livesOn ? await reveal(former_secret.secret) : undefined,
  }
}
