import { etagOf, ok } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { whoAmI } from './contract.ts'
import { describeCaller } from './describe-caller.ts'
import { versionedPart } from './key-answers.ts'

/** Describes the credential of the request. */
export const handler = serve(whoAmI, async ({ caller, now }) => {
  const view = await describeCaller(caller, now)
  const { key } = view
  return { ...ok(view), headers: { etag: etagOf({ ...view, key: key && versionedPart(key) }) } }
})
