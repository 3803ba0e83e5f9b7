/**
 * The ids of records that were counted: one row per id, for 48 hours. A request with few ids writes them in the transaction
 * that counts. More do not fit beside the counters, and would hold the hot row for longer: they are claimed before, and count
 * as used only when the row of their request says so, which the counting transaction writes.
 */
import { createHash } from 'node:crypto'
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import { PutCommand, type TransactWriteCommandInput } from '@aws-sdk/lib-dynamodb'
import { unmarshall } from '@aws-sdk/util-dynamodb'
import { tableName } from '../table/client.ts'
import { getRows } from '../table/read.ts'
import { orgPartition, type RowKey } from '../table/rows.ts'
import { writeRow } from '../table/update.ts'

type Item = NonNullable<TransactWriteCommandInput['TransactItems']>[number]

export interface Id {
  key: RowKey
  keepSeconds: number
}

/** The row of an id. Its digest is stored, so ids of any characters make a valid key of one length. */
export const idKey = (orgId: string, id: string): RowKey => ({
  pk: `${orgPartition(orgId)}#USAGEID#${createHash('sha256').update(id).digest('base64url')}`,
  sk: 'ID',
})

const requestKey = (orgId: string, request: string): RowKey => ({
  pk: `${orgPartition(orgId)}#USAGEREQUEST#${request}`,
  sk: 'REQUEST',
})

/** Longer than the claims, so that no claim outlives the answer to whether it counts. */
const requestKeepSeconds = 49 * 3600

const epochOf = (now: Date): number => Math.floor(now.getTime() / 1000)

export interface KnownIds {
  /** Partition keys of ids that were counted. */
  counted: Set<string>
  /** Requests that claimed ids and can no longer count, by partition key of the id. */
  abandoned: Map<string, string>
}

/** Reads which ids were counted. A claim without a decision is abandoned: its request must claim again. */
export async function readIds(orgId: string, ids: readonly Id[], now: Date): Promise<KnownIds> {
  const known: KnownIds = { counted: new Set(), abandoned: new Map() }
  if (ids.length === 0) return known
  const rows = (await getRows(ids.map(({ key }) => key))).filter((row) => Number(row.expires_at_epoch) > epochOf(now))
  const requests = new Set(rows.flatMap(({ request }) => (typeof request === 'string' ? [request] : [])))
  const decisions = new Map<unknown, boolean>()
  for (const request of requests) decisions.set(request, await isCounted(orgId, request, now))
  for (const { pk, request } of rows) {
    if (decisions.get(request) === false) known.abandoned.set(pk, String(request))
    else known.counted.add(pk)
  }
  return known
}

/** Whether a request has counted its claims. If it has not decided, it is abandoned, and can no longer count. */
async function isCounted(orgId: string, request: string, now: Date): Promise<boolean> {
  const Item = {
    ...requestKey(orgId, request),
    state: 'abandoned',
    expires_at_epoch: epochOf(now) + requestKeepSeconds,
  }
  try {
    await writeRow(
      new PutCommand({
        TableName: tableName(),
        Item,
        ConditionExpression: 'attribute_not_exists(pk)',
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      }),
    )
    return false
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error
    // The document client does not unmarshall the item of a failed condition.
    return error.Item !== undefined && unmarshall(error.Item).state === 'counted'
  }
}

/** Writes new ids, as counted or as claimed by `request`. */
export const idWrites = (ids: readonly Id[], { abandoned }: KnownIds, now: Date, request: string | undefined): Item[] =>
  ids.map(({ key, keepSeconds }) => {
    const stale = abandoned.get(key.pk)
    const claim = request === undefined ? {} : { request }
    return {
      Put: {
        TableName: tableName(),
        Item: { ...key, ...claim, expires_at_epoch: epochOf(now) + keepSeconds },
        ConditionExpression: `attribute_not_exists(pk) OR expires_at_epoch <= :now${stale ? ' OR #request = :stale' : ''}`,
        ExpressionAttributeValues: { ':now': epochOf(now), ...(stale ? { ':stale': stale } : {}) },
        ...(stale ? { ExpressionAttributeNames: { '#request': 'request' } } : {}),
      },
    }
  })

/** Decides that a request counts its claims, unless another has abandoned it. */
export const requestCounted = (orgId: string, request: string, now: Date): Item => ({
  Put: {
    TableName: tableName(),
    Item: { ...requestKey(orgId, request), state: 'counted', expires_at_epoch: epochOf(now) + requestKeepSeconds },
    ConditionExpression: 'attribute_not_exists(pk)',
  },
})
