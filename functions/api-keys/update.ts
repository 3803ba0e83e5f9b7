import { editedKey, keyEdited, notEditable, requireEditor, requireFieldsOf } from '../../shared/api-keys/edit.ts'
import { getKey } from '../../shared/api-keys/find.ts'
import { keyState, toKeyView } from '../../shared/api-keys/record.ts'
import { commitIfChanged, requireMatch } from '../../shared/http/patch.ts'
import { serve } from '../../shared/http/serve.ts'
import { updateApiKey } from './contract.ts'
import { keyAnswer, versionedPart } from './key-answers.ts'

/** Changes fields of an active key; the next request with the key sees them. */
export const handler = serve(updateApiKey, async ({ caller, params, body, headers, now, commit }) => {
  const key = await getKey(caller.orgId, params.key_id)
  const edited = editedKey(key, body)
  requireEditor(caller, key, edited)
  requireFieldsOf(key, body)
  requireMatch(headers, versionedPart(toKeyView(key, now)))
  const state = keyState(key, now)
  if (state !== 'active') throw notEditable(state)
  return commitIfChanged(commit, keyEdited(caller.orgId, key, edited), keyAnswer(edited, now))
})
