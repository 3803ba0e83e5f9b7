/** An index of all bound customers, in shards, so that the sweep can read them without a scan. */
import { createHash } from 'node:crypto'
import { queryPage } from '../table/query.ts'
import type { RowKey } from '../table/rows.ts'

/** The number of partitions of the index. */
export const sweepShards = 16
const sweepPartition = (shard: number): string => `STRIPESWEEP#${shard}`
const shardOf = (customerId: string): number =>
  createHash('sha256').update(customerId).digest().readUInt8(0) % sweepShards
export const sweepKey = (customerId: string): RowKey => ({ pk: sweepPartition(shardOf(customerId)), sk: customerId })

/** One page of the customers of a shard with their orgs, in a fixed order. `after` is `next` of the previous page. */
export async function listCustomers(
  shard: number,
  { limit, after }: { limit: number; after: string | undefined },
): Promise<{ customers: { customerId: string; orgId: string }[]; next: string | undefined }> {
  const { rows, next } = await queryPage({ partition: sweepPartition(shard), prefix: 'cus_', limit, after })
  return { customers: rows.map(({ sk, org_id }) => ({ customerId: sk, orgId: org_id as string })), next }
}
