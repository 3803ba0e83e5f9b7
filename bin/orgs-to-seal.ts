/** The orgs of a table with events that no block holds. Reads the whole table: no function may. */
import { ScanCommand } from '@aws-sdk/lib-dynamodb'
import { eventPrefix } from '../shared/audit/event-rows.ts'
import { table, tableName } from '../shared/table/client.ts'
import { orgIdOf } from '../shared/table/rows.ts'
import { formerPrefix } from './former-chain.ts'

export async function orgsToSeal(): Promise<string[]> {
  const orgIds = new Set<string>()
  let after: Record<string, unknown> | undefined
  do {
    const { Items = [], LastEvaluatedKey } = await table().send(
      new ScanCommand({
        TableName: tableName(),
        ProjectionExpression: 'pk',
        FilterExpression: 'begins_with(sk, :event) AND attribute_not_exists(sealed) OR begins_with(sk, :former)',
        ExpressionAttributeValues: { ':event': eventPrefix, ':former': formerPrefix },
        ...(after ? { ExclusiveStartKey: after } : {}),
      }),
    )
    for (const { pk } of Items) orgIds.add(orgIdOf(String(pk)))
    after = LastEvaluatedKey
  } while (after)
  return [...orgIds].sort()
}
