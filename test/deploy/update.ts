/** That a deploy over a populated table loses nothing: keys from before it work, and the record of changes still adds up. */
import { strict as assert } from 'node:assert'
import { clientOf, type Target } from '../http/target.ts'

export async function proveNothingLost(target: Target): Promise<void> {
  for (const { org_id, api_keys } of target.orgs) {
    const client = clientOf(target, api_keys.full_admin)
    const { data: verdict } = await client.GET('/api/v2/settings/audit-events/verify')
    assert.equal(verdict.valid, true, JSON.stringify(verdict))
    assert.ok(verdict.events_checked > 0, `the suite left nothing in ${org_id}`)
    await client.GET('/api/v2/settings/api-keys')
    console.log(`${org_id}: ${verdict.events_checked} events verify`)
  }
}
