import { findKey } from '../../shared/api-keys/find.ts'
import { orgOf } from '../../shared/auth/caller.ts'
import { ok } from '../../shared/http/answer.ts'
import { countRequest } from '../../shared/http/rate-limit.ts'
import { serve } from '../../shared/http/serve.ts'
import { activeKey, inactiveReason, rateLimitOf } from '../../shared/introspection/answer.ts'
import { readContext } from '../../shared/introspection/context.ts'
import { ownerOf } from '../../shared/introspection/presented-key.ts'
import { introspectKey } from './contract.ts'

/** Answers whether a presented key is usable, and what it may do. */
export const handler = serve(introspectKey, async ({ caller, body, now }) => {
  const owner = await ownerOf(body.token, orgOf(caller))
  if (typeof owner === 'string') return ok({ active: false, reason: owner })
  const { orgId, keyId } = owner
  const [key, context] = await Promise.all([findKey(orgId, keyId), readContext(orgId, body.include, now)])
  const reason = inactiveReason(key, now)
  if (!key || reason) return ok({ active: false, reason: reason ?? 'unknown' })
  const counted = body.count && (await countRequest({ orgId, principal: keyId, limit: rateLimitOf(key) }, now))
  return ok(activeKey(orgId, key, context, { ...body, count: counted ? counted.count : undefined }, now))
})
