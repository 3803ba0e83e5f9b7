/** The account that the local Stripe belongs to. */
import type { Account } from './objects.ts'

export const account: Account = {
  id: 'acct_1LocalStripe00000',
  object: 'account',
  business_profile: null,
  business_type: 'company',
  capabilities: { card_payments: 'active', transfers: 'active' },
  charges_enabled: true,
  country: 'US',
  created: 1_700_000_000,
  default_currency: 'usd',
  details_submitted: true,
  email: 'billing@local.invalid',
  metadata: {},
  payouts_enabled: true,
  settings: null,
  type: 'standard',
}
