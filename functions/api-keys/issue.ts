/** Shared by the three operations that create keys: checks the grant, creates the key, answers its raw value once. */

import { delegated, type KeyWish } from '../../shared/api-keys/grant.ts'
import { issueKey, keyCreated } from '../../shared/api-keys/issue.ts'
import { takePlace } from '../../shared/api-keys/limit.ts'
import { requireOriginsOf } from '../../shared/api-keys/origins.ts'
import type { KeyView } from '../../shared/api-keys/record.ts'
import { actorOf, type Caller } from '../../shared/auth/caller.ts'
import type { JsonAnswer } from '../../shared/http/answer.ts'
import type { Commit } from '../../shared/http/patch.ts'
import { keyAnswer } from './key-answers.ts'

type IssuedAnswer = JsonAnswer<KeyView, 201>

interface IssueCall {
  caller: Caller
  names(field: string): boolean
  now: Date
  commit: Commit<IssuedAnswer>
}

export async function issue(
  { caller, names, now, commit }: IssueCall,
  { environment, ...rest }: KeyWish,
): Promise<IssuedAnswer> {
  const wish = { ...rest, environment: names('environment') ? environment : undefined }
  const definition = delegated(caller, wish)
  requireOriginsOf(definition)
  const issued = issueKey(definition, actorOf(caller), now)
  await takePlace(caller.orgId, now)
  return commit(keyCreated(caller.orgId, issued), issuedAnswer(issued, now))
}

export const keyLocation = (keyId: string): string => `/api/v2/settings/api-keys/${keyId}`

export const issuedAnswer = ({ key, rawKey }: ReturnType<typeof issueKey>, now: Date): IssuedAnswer => {
  const { body, headers } = keyAnswer(key, now)
  return { status: 201, body, headers: { ...headers, location: keyLocation(key.id) }, once: { api_key: rawKey } }
}
