import { type LocalTargetRecord, untested } from '../../shared/execution/local-target.ts'
import { keyOf, localTargets } from '../../shared/execution/local-target-entity.ts'
import { recordCreatedAnswer } from '../../shared/http/record-answers.ts'
import { serve } from '../../shared/http/serve.ts'
import { newId } from '../../shared/ids.ts'
import { encrypt } from '../../shared/secrets/encrypt.ts'
import { recordCreated, requireRoom } from '../../shared/storage/record.ts'
import { createLocalTarget } from './contract.ts'

/** Registers a runtime, with the key that it asks for, if any. */
export const handler = serve(createLocalTarget, async ({ caller: { orgId }, body, now, commit }) => {
  await requireRoom(localTargets, orgId)
  const id = newId('tgt')
  const { api_key, ...fields } = body
  const sealed = api_key ? await encrypt(api_key, keyOf(orgId, id)) : { ciphertext: null, masked: null }
  const at = now.toISOString()
  const state = { key_version: api_key ? 1 : 0, ...untested, created_at: at, updated_at: at, version: 1 }
  const target: LocalTargetRecord = { id, ...fields, ...sealed, ...state }
  const answer = recordCreatedAnswer(localTargets, target, `/api/v2/settings/execution/local-targets/${id}`)
  return commit(recordCreated(localTargets, orgId, target), answer)
})
