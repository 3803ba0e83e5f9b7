/** A chain as version 0.1 before blocks stored it: each event holds the hash of the one before, and a head row ends it. */
import { hashOf } from '../../shared/audit/event.ts'
import { newId } from '../../shared/ids.ts'

type FormerRow = { pk: string; sk: string } & Record<string, unknown>

export interface FormerChain {
  events: FormerRow[]
  head: FormerRow
}

/** A chain of `count` events, a second apart, the last of them at `end`. */
export function formerChain(orgId: string, count: number, end: Date): FormerChain {
  const pk = `ORG#${orgId}`
  const events: FormerRow[] = []
  let previous = '0'.repeat(64)
  for (let seq = 1; seq <= count; seq++) {
    const timestamp = new Date(end.getTime() - (count - seq) * 1000).toISOString()
    const content = {
      id: newId('aud'),
      seq,
      timestamp,
      action: 'org_settings.updated',
      actor: { type: 'user', id: 'user-owner' },
      resource: { type: 'org_settings', id: orgId },
      result: 'success',
      changes: [{ field: 'default_region', before: 'us', after: `eu-${seq}` }],
      request_id: `former-${seq}`,
      prev_hash: previous,
    }
    previous = hashOf(content)
    const expires_at_epoch = Math.floor(Date.parse(timestamp) / 1000) + 365 * 86_400
    events.push({
      pk,
      sk: `AUDIT#${timestamp}#${String(seq).padStart(12, '0')}`,
      ...content,
      hash: previous,
      expires_at_epoch,
    })
  }
  const last = events.at(-1)
  return { events, head: { pk, sk: 'AUDITHEAD', seq: count, hash: previous, timestamp: last?.timestamp } }
}
