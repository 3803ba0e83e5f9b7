/** Creates, revokes and lists service keys, for the operator of a stage. */
import { lookupKey } from '../api-keys/rows.ts'
import { changedFields, createdFields } from '../audit/event.ts'
import { generateRawKey, hashRawKey } from '../auth/api-key.ts'
import { operatorId } from '../auth/caller.ts'
import { newId } from '../ids.ts'
import { ProblemError } from '../problem.ts'
import type { ServiceKeyDefinition, ServiceKeyRecord } from '../service-keys/record.ts'
import { hashOfServiceKey, listKey, listPartition, listPrefix, type Pointer } from '../service-keys/rows.ts'
import { commit } from '../storage/commit.ts'
import { queryPage } from '../table/query.ts'
import { getRow, getRows } from '../table/read.ts'
import { fromRow } from '../table/rows.ts'
import { insert, updateIf } from '../table/writes.ts'
import { type Maker, requestContext } from './orgs.ts'

const recordedFields = ['name', 'prefix', 'scopes', 'environment', 'rate_limit_per_minute'] as const

/** Creates a service key, and returns its record with the raw value. The event is in the operator's own trail. */
export async function createServiceKey(definition: ServiceKeyDefinition, maker: Maker) {
  const now = new Date()
  const { rawKey, prefix } = generateRawKey('service', definition.environment)
  const unused = { created_at: now.toISOString(), last_used_at: null, revoked_at: null }
  const key: ServiceKeyRecord = { id: newId('key'), ...definition, prefix, ...unused }
  const hash = hashRawKey(rawKey)
  await commit(
    {
      action: 'service_key.created',
      resource: { type: 'service_key', id: key.id, name: key.name },
      result: 'success',
      diff: createdFields(key, recordedFields),
      writes: [insert({ ...lookupKey(hash), ...key }), insert({ ...listKey(key.id), hash })],
    },
    requestContext(operatorId, maker, now),
    maker.deadline,
  )
  return { key, rawKey }
}

/** Revokes a service key: its next request is refused. A second time changes nothing. Undefined if there is no such key. */
export async function revokeServiceKey(id: string, maker: Maker): Promise<ServiceKeyRecord | undefined> {
  const hash = await hashOfServiceKey(id)
  const key = hash && fromRow<ServiceKeyRecord>(await getRow(lookupKey(hash)))
  if (!key || key.revoked_at !== null) return key || undefined
  const now = new Date()
  const revoked = { ...key, revoked_at: now.toISOString() }
  const revocation = {
    UpdateExpression: 'SET revoked_at = :now',
    ConditionExpression: 'attribute_exists(pk) AND revoked_at = :none',
    ExpressionAttributeValues: { ':now': revoked.revoked_at, ':none': null },
  }
  await commit(
    {
      action: 'service_key.revoked',
      resource: { type: 'service_key', id, name: key.name },
      result: 'success',
      diff: changedFields(key as { revoked_at: string | null }, revoked, ['revoked_at']),
      writes: [updateIf(lookupKey(hash), revocation, () => new ProblemError('conflict', 'The key was just revoked.'))],
    },
    requestContext(operatorId, maker, now),
    maker.deadline,
  )
  return revoked
}

/** All service keys, oldest first. An operator has few. */
export async function listServiceKeys(): Promise<ServiceKeyRecord[]> {
  const hashes: string[] = []
  let after: string | undefined
  do {
    const page = await queryPage({
      partition: listPartition,
      prefix: listPrefix,
      limit: 100,
      newestFirst: false,
      after,
    })
    hashes.push(...page.rows.map((row) => fromRow<Pointer>(row).hash))
    after = page.next
  } while (after !== undefined)
  const keys = (await getRows(hashes.map(lookupKey))).map((row) => fromRow<ServiceKeyRecord>(row))
  return keys.sort((one, other) => one.id.localeCompare(other.id))
}
