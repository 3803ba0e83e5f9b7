/**
 * The limit of usable keys per org. A row counts every issued key and never decreases, for two reasons: keys also
 * expire by time, and a revocation must not wait for a contended row. At the limit, the usable keys are counted again.
 */
import { ProblemError } from '../problem.ts'
import { StaleReadError } from '../storage/commit.ts'
import { countKey } from '../storage/record.ts'
import { countRows } from '../table/query.ts'
import { getRow } from '../table/read.ts'
import { fromRow, orgPartition } from '../table/rows.ts'
import { updateIf, type Write } from '../table/writes.ts'
import { usableKeys } from './list-keys.ts'
import { recordPrefix } from './rows.ts'

const maxUsableKeys = 1000

/**
 * The write that counts a new key, for the transaction that stores it. `ended`: usable keys that the same transaction
 * ends.
 *
 * @throws ProblemError `conflict` at the limit
 */
export async function countIssued(orgId: string, now: Date, ended = 0): Promise<Write> {
  const key = countKey({ prefix: recordPrefix }, orgId)
  // A row of an earlier version has no `issued`, and its count misses older keys.
  const { count = 0, issued } = fromRow<{ count?: number; issued?: number }>(await getRow(key)) ?? {}
  if (issued !== undefined && count < maxUsableKeys) return updateIf(key, countUp, recount)
  const usable = await countRows(orgPartition(orgId), recordPrefix, usableKeys(now))
  if (usable - ended >= maxUsableKeys) throw full()
  return updateIf(
    key,
    {
      UpdateExpression: 'SET #count = :count, issued = :next',
      // Every new key changes `issued`. So this fails if another key was stored since the read.
      ConditionExpression: issued === undefined ? 'attribute_not_exists(issued)' : 'issued = :issued',
      ExpressionAttributeNames: { '#count': 'count' },
      ExpressionAttributeValues: {
        ':count': usable - ended + 1,
        ':next': (issued ?? 0) + 1,
        ...(issued === undefined ? {} : { ':issued': issued }),
      },
    },
    recount,
  )
}

const countUp = {
  UpdateExpression: 'ADD #count :one, issued :one',
  ConditionExpression: '#count < :max AND attribute_exists(issued)',
  ExpressionAttributeNames: { '#count': 'count' },
  ExpressionAttributeValues: { ':one': 1, ':max': maxUsableKeys },
}

const recount = () => new StaleReadError('another key was issued since the count was read')

const full = () =>
  new ProblemError(
    'conflict',
    `An organization can have ${maxUsableKeys} usable API keys. Revoke one first. Expired and revoked keys do not count.`,
  )
