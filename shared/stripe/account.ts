/**
 * The Stripe account and mode of this table's customers. The first key decides. Keys of another account or mode are
 * refused, so they can neither bind customers nor change a plan.
 */
import type Stripe from 'stripe'
import { ProblemError } from '../problem.ts'
import { log } from '../runtime/log.ts'
import { updateRowIf } from '../table/update.ts'
import { type Owner, ownerKey, storedOwner } from './owner.ts'
import { isLivemode, stripeSecrets } from './secrets.ts'

/** One check per client: a new key has a new client. */
const checks = new WeakMap<Stripe, Promise<void>>()

/**
 * Checks a key once per process. The next call repeats a failed check.
 *
 * @throws ProblemError `service_unavailable` when the table belongs to another account or mode
 */
export function requireSameAccount(stripe: Stripe): Promise<void> {
  const known = checks.get(stripe)
  if (known) return known
  const check = compare(stripe)
  checks.set(stripe, check)
  check.catch(() => checks.delete(stripe))
  return check
}

async function compare(stripe: Stripe): Promise<void> {
  const livemode = isLivemode((await stripeSecrets()).secretKey ?? '')
  const [stored, account] = await Promise.all([storedOwner(), accountOf(stripe)])
  const owner = stored ?? (await claim({ account, livemode }))
  const isSame =
    owner.livemode === livemode && (account === null || (owner.account ?? null) === null || owner.account === account)
  if (isSame) return
  log.error('the Stripe key belongs to another account or mode than the stored customers', {
    stored_account: owner.account,
    stored_livemode: owner.livemode,
    key_account: account,
    key_livemode: livemode,
  })
  throw new ProblemError(
    'service_unavailable',
    `The customers of this deployment belong to ${named(owner)}, but its Stripe key belongs to ${named({ account, livemode })}. Restore the right key.`,
    { headers: { 'retry-after': '60' } },
  )
}

const named = ({ account, livemode }: Partial<Owner>): string =>
  `the ${livemode ? 'live' : 'test'} mode of ${account ? `account ${account}` : 'a Stripe account'}`

/** Null if a restricted key cannot read its account. */
async function accountOf(stripe: Stripe): Promise<string | null> {
  try {
    return (await stripe.accounts.retrieveCurrent()).id
  } catch (error) {
    if (error instanceof Error && 'type' in error && error.type === 'StripePermissionError') return null
    throw error
  }
}

/** The first process decides; the others read its row. */
async function claim(owner: Owner): Promise<Partial<Owner>> {
  const claimed = await updateRowIf(ownerKey, {
    UpdateExpression: 'SET #account = :account, livemode = :livemode',
    ConditionExpression: 'attribute_not_exists(pk)',
    ExpressionAttributeNames: { '#account': 'account' },
    ExpressionAttributeValues: { ':account': owner.account, ':livemode': owner.livemode },
  })
  return claimed ? owner : ((await storedOwner()) ?? owner)
}
