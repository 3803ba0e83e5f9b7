/** A record after a patch. A replaced signing secret signs beside the new one for a day, so that receivers can change over. */
import { dueNowMs } from '../runtime/due-clock.ts'
import type { IntegrationRecord, KeptSecret } from './record.ts'

const overlapMs = 24 * 3_600_000

type Patched = Partial<IntegrationRecord> & Pick<IntegrationRecord, 'config' | 'updated_at'>

/** Applies a patch, whose secrets are encrypted. A new URL ends the overlap: only the new secret signs there. */
export function afterPatch(before: IntegrationRecord, patch: Patched): IntegrationRecord {
  const after: IntegrationRecord = { ...before, ...patch, former_secret: formerSecret(before, patch.config) }
  if (patch.enabled !== true || before.enabled) return after
  return { ...after, disabled_reason: undefined, enabled_ms: dueNowMs() }
}

function formerSecret(
  before: IntegrationRecord,
  config: IntegrationRecord['config'],
): IntegrationRecord['former_secret'] {
  const [was, is] = [before.config.signing_secret as KeptSecret | undefined, config.signing_secret]
  if (before.config.url !== config.url || is === undefined) return undefined
  if (was === is || was === undefined) return before.former_secret
  return { secret: was, until_ms: dueNowMs() + overlapMs }
}
