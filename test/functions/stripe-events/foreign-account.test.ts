/** A sweep under the key of another account must leave the list of our events to a sweep under ours. */
import { expect, test } from 'vitest'
import { readSweepState } from '../../../shared/stripe-events/sweep-state.ts'
import { runFunction } from '../../support/background.ts'
import { putRow } from '../../support/rows.ts'

const owner = { pk: 'STRIPEACCOUNT', sk: 'STRIPEACCOUNT', livemode: false }

test('a sweep under the key of another account fails and does not count its events as compared', async () => {
  await putRow({ ...owner, account: 'acct_another' })
  await expect(runFunction('stripe-events/sweep', {})).rejects.toThrow('parts of the sweep have failed')
  expect((await readSweepState()).comparedUntil).toBeUndefined()
  await putRow({ ...owner, account: 'acct_1LocalStripe00000' })
  await runFunction('stripe-events/sweep', {})
  expect((await readSweepState()).comparedUntil).toBeGreaterThan(0)
})
