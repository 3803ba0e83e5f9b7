/**
 * The rows of a service key, none in an org's partition: the record under the hash of the raw key, and a pointer to it, for the
 * list of all service keys.
 */
import { lookupKey } from '../api-keys/rows.ts'
import { hashRawKey } from '../auth/api-key.ts'
import { queryPage } from '../table/query.ts'
import { getRow, getRows } from '../table/read.ts'
import { fromRow, type RowKey } from '../table/rows.ts'
import type { ServiceKeyRecord } from './record.ts'

const listPartition = 'SERVICEKEYS'
const listPrefix = 'KEY#'

export const listKey = (id: string): RowKey => ({ pk: listPartition, sk: listPrefix + id })

interface Pointer {
  hash: string
}

/** The service key with a raw value; undefined for one that was never issued. */
export const findServiceKey = async (rawKey: string): Promise<ServiceKeyRecord | undefined> =>
  fromRow<ServiceKeyRecord>(await getRow(lookupKey(hashRawKey(rawKey))))

/** The hash under which a service key is stored; undefined if there is no key with this id. */
export const hashOfServiceKey = async (id: string): Promise<string | undefined> =>
  fromRow<Pointer>(await getRow(listKey(id)))?.hash

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
