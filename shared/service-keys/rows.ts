/**
 * The rows of a service key, none in an org's partition: the record under the hash of the raw key, and a pointer to it, for the
 * list of all service keys.
 */
import { lookupKey } from '../api-keys/rows.ts'
import { hashRawKey } from '../auth/api-key.ts'
import { getRow } from '../table/read.ts'
import { fromRow, type RowKey } from '../table/rows.ts'
import type { ServiceKeyRecord } from './record.ts'

export const listPartition = 'SERVICEKEYS'
export const listPrefix = 'KEY#'

export const listKey = (id: string): RowKey => ({ pk: listPartition, sk: listPrefix + id })

export interface Pointer {
  hash: string
}

/** The service key with a raw value; undefined for one that was never issued. */
export const findServiceKey = async (rawKey: string): Promise<ServiceKeyRecord | undefined> =>
  fromRow<ServiceKeyRecord>(await getRow(lookupKey(hashRawKey(rawKey))))

/** The hash under which a service key is stored; undefined if there is no key with this id. */
export const hashOfServiceKey = async (id: string): Promise<string | undefined> =>
  fromRow<Pointer>(await getRow(listKey(id)))?.hash
