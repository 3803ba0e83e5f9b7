/** That a deploy over a populated table loses nothing: keys from before it work, and the record of changes still adds up. */
import { strict as assert } from 'node:assert'
import { httpTo, type Target } from '../http/target.ts'

export async function proveNothingLost(target: Target): Promise<void> {
  for (const { org_id, api_keys } of target.orgs) {
    const token = api_keys.full_admin
    const { body: verdict } = await httpTo(target, 'GET', '/api/v1/settings/audit-events/verify', { token })
    assert.equal(verdict.valid, true, JSON.stringify(verdict))
    assert.ok(verdict.events_checked > 0, `the suite left nothing in ${org_id}`)
    assert.equal((await httpTo(target, 'GET', '/api/v1/settings/api-keys', { token })).status, 200)
    console.log(`${org_id}: ${verdict.events_checked} events verify`)
  }
}
