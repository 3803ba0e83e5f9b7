/** The Stripe account and mode of this table's customers, set by the first Stripe key. */
import { getRow } from '../table/read.ts'
import { fromRow } from '../table/rows.ts'

export const ownerKey = { pk: 'STRIPEACCOUNT', sk: 'STRIPEACCOUNT' }

export interface Owner {
  /** Null when the key cannot read its account: then only the mode is compared. */
  account: string | null
  livemode: boolean
}

/** Undefined before the first Stripe call. */
export const storedOwner = async () => fromRow<Partial<Owner>>(await getRow(ownerKey))
