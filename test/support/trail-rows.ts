/** The trail of an org as its callers see it, and its rows. */
import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import { seal } from './governance.ts'
import { type BodyOf, invoke } from './invoke.ts'
import { makeKey, type TestOrg } from './orgs.ts'
import { deleteRow, putRows, rowsOf, type StoredRow } from './rows.ts'

type Org = Pick<TestOrg, 'orgId' | 'adminKey'>

/** RFC 8785 for what events hold: names in the order of their UTF-16 units, no white space, the texts and numbers of JSON. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([name, part]) => `${JSON.stringify(name)}:${canonical(part)}`).join(',')}}`
}
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

export function hashOfEvent(event: object): string {
  const { hash: _hash, sealed: _sealed, ...content } = event as { hash?: unknown; sealed?: unknown }
  return sha256(canonical(content))
}

/** The hash of a stored block. */
export function hashOfBlockRow(row: StoredRow): string {
  const { pk, sk: _sk, expires_at_epoch: _expiry, previous_expiry_epoch: _before, hash: _hash, ...content } = row
  return sha256(canonical({ ...content, org_id: pk.slice('ORG#'.length) }))
}

export type ServedEvent = BodyOf<'audit-events/list'>['data'][number]

/** All events that a list with this query has. */
export async function listAll({ adminKey }: Org, query: Record<string, string> = {}): Promise<ServedEvent[]> {
  const events: ServedEvent[] = []
  let cursor: string | null = null
  do {
    const asked: Record<string, string> = { limit: '3', ...query, ...(cursor ? { cursor } : {}) }
    const { status, body, text } = await invoke('audit-events/list', { token: adminKey, query: asked })
    expect(status, text).toBe(200)
    events.push(...body.data)
    cursor = body.next_cursor
  } while (cursor !== null)
  return events
}

/** The verdict of all pages: that of the last page, and the sums. */
export async function verifyAll({ adminKey }: Org, limit = 1000) {
  let cursor: string | null = null
  let events = 0
  let from: number | null = null
  for (;;) {
    const query: Record<string, string> = { limit: String(limit), ...(cursor ? { cursor } : {}) }
    const { status, body, text } = await invoke('audit-events/verify', { token: adminKey, query })
    expect(status, text).toBe(200)
    expect(body.valid).toBe(body.first_invalid === null)
    events += body.events_checked
    from ??= body.from_block
    cursor = body.next_cursor
    if (!body.valid || cursor === null) return { ...body, events_checked: events, from_block: from }
  }
}

export const trailPrefixes = ['EVENT#', 'BLOCK', 'CHECKPOINT#'] as const
export const trailRows = async ({ orgId }: Pick<TestOrg, 'orgId'>): Promise<StoredRow[]> =>
  (await Promise.all(trailPrefixes.map((prefix) => rowsOf(orgId, prefix)))).flat()

/** Adds blocks of so many events each, one after another. */
export async function addBlocks(org: Org, sizes: readonly number[]): Promise<void> {
  for (const size of sizes) {
    for (let count = 0; count < size; count++) await makeKey(org, { name: `key ${count}` })
    await seal(org)
  }
}

/** Puts the rows of a trail back as they were. */
export async function restore(org: Org, rows: readonly StoredRow[]): Promise<void> {
  const intact = new Set(rows.map(({ sk }) => sk))
  for (const row of await trailRows(org)) if (!intact.has(row.sk)) await deleteRow(row)
  await putRows(rows)
}
