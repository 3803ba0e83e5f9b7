/** The Stripe account and mode that the customers of this table belong to, as its first Stripe key decided. */
import { getRow } from '../table/read.ts'
import { fromRow } from '../table/rows.ts'

export const ownerKey = { pk: 'STRIPEACCOUNT', sk: 'STRIPEACCOUNT' }

export interface Owner {
  /** Null when the key may not read its account: then only the mode is compared. */
  account: string | null
  livemode: boolean
}

/** Undefined before the first call of Stripe. */
export const storedOwner = async () => fromRow<Partial<Owner>>(await getRow(ownerKey))
