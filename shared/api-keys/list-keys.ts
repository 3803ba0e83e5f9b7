/** Listing the API keys of an org, and the filters by state. */
import { type Filter, queryPage } from '../table/query.ts'
import { orgPartition, recordIn } from '../table/rows.ts'
import { type KeyState, type KeyView, keyFields, toKeyView } from './record.ts'
import { recordPrefix } from './rows.ts'

export interface KeyFilter {
  key_type?: string | undefined
  environment?: string | undefined
  state?: KeyState | undefined
}

/** One page of the keys of an org, newest first. */
export async function listKeys(
  orgId: string,
  filter: KeyFilter,
  page: { limit: number; after: string | undefined; now: Date },
): Promise<{ data: KeyView[]; next: string | undefined }> {
  const { rows, next } = await queryPage({
    partition: orgPartition(orgId),
    prefix: recordPrefix,
    newestFirst: true,
    limit: page.limit,
    after: page.after,
    filter: keyFilter(filter, page.now),
    fields: keyFields,
  })
  return { data: rows.map((row) => toKeyView(recordIn(row), page.now)), next }
}

/** The states of `keyState` as DynamoDB conditions. DynamoDB compares null with a time as false. */
const isRevoked = '(revoked_at <> :none AND retiring = :false) OR revoked_at <= :now'
const stateConditions: Record<KeyState, string> = {
  active: 'revoked_at = :none AND (expires_at = :none OR expires_at > :now)',
  retiring: 'retiring = :true AND revoked_at > :now AND (expires_at = :none OR expires_at > :now)',
  revoked: `(${isRevoked})`,
  expired: `(NOT (${isRevoked})) AND expires_at <= :now`,
}

/** Selects the keys that still work. */
export const usableKeys = (now: Date): Filter => ({
  expression: `(${stateConditions.active}) OR (${stateConditions.retiring})`,
  names: {},
  values: { ':none': null, ':true': true, ':now': now.toISOString() },
})

function keyFilter({ key_type, environment, state }: KeyFilter, now: Date): Filter | undefined {
  const conditions: string[] = []
  const values: Record<string, unknown> = {}
  if (key_type) {
    conditions.push('key_type = :keyType')
    values[':keyType'] = key_type
  }
  if (environment) {
    conditions.push('environment = :environment')
    values[':environment'] = environment
  }
  if (state) {
    const condition = stateConditions[state]
    conditions.push(condition)
    const used = { ':none': null, ':true': true, ':false': false }
    for (const [name, value] of Object.entries(used)) if (condition.includes(name)) values[name] = value
    values[':now'] = now.toISOString()
  }
  return conditions.length === 0 ? undefined : { expression: conditions.join(' AND '), names: {}, values }
}
