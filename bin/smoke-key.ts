/** Smoke check of a key's life: created, used, revoked, and refused by the next request. It leaves no usable key behind. */
import { type Finding, fail, ok, skip } from './checks.ts'
import { brief, jsonOf, type SmokeContext } from './smoke-context.ts'
import type { Reply, Send } from './smoke-http.ts'

const keysPath = '/api/v2/settings/api-keys'
/** Any valid credential may read it. */
const scopesPath = `${keysPath}/scopes`
/** If the revocation fails, the key expires. */
const lifeMs = 10 * 60_000

export async function keyLife({ send, apiKey }: SmokeContext): Promise<Finding> {
  if (apiKey === undefined) return skip('set OCTOMIL_API_KEY to an org key with keys:write')
  const expiresAt = new Date(Date.now() + lifeMs).toISOString()
  const created = await send({
    method: 'POST',
    path: keysPath,
    token: apiKey,
    // A caller can grant only its scopes, and it must hold this one.
    body: JSON.stringify({
      name: `smoke ${new Date().toISOString()}`,
      scopes: ['keys:write'],
      expires_at: expiresAt,
    }),
  })
  const { id, api_key: rawKey } = jsonOf(created)
  if (created.status !== 201 || typeof id !== 'string' || typeof rawKey !== 'string')
    return fail('201 with a key', brief(created), createFix(created))
  const revoke = revoker(send, apiKey, id)
  const finding = await useAndRevoke(send, rawKey, revoke.run).catch((error: Error) =>
    fail('an answer to each request with the key', error.message, 'run the smoke test again'),
  )
  if (revoke.isDone() || (await revoke.run().catch(() => undefined))?.status === 200) return finding
  const cleanUp = `revoke it by hand: POST ${keysPath}/${id}/revoke`
  return fail('the smoke key revoked', `${id}, usable until ${expiresAt}`, cleanUp)
}

const createFix = ({ status }: Reply): string =>
  status === 401 || status === 403
    ? 'set OCTOMIL_API_KEY to an org key of this stage with keys:write'
    : 'see the log of the function api-keys/create'

function revoker(send: Send, token: string, id: string) {
  let done = false
  const run = async (): Promise<Reply> => {
    const body = JSON.stringify({ reason: 'smoke test' })
    const reply = await send({ method: 'POST', path: `${keysPath}/${id}/revoke`, token, body, cleansUp: true })
    done ||= reply.status === 200
    return reply
  }
  return { run, isDone: () => done }
}

async function useAndRevoke(send: Send, rawKey: string, revoke: () => Promise<Reply>): Promise<Finding> {
  const used = await send({ path: scopesPath, token: rawKey })
  if (used.status !== 200)
    return fail('200 with the new key', brief(used), 'see the log of the function api-keys/scopes')
  const revoked = await revoke()
  if (revoked.status !== 200)
    return fail('200 to the revocation', brief(revoked), 'see the log of the function api-keys/revoke')
  const refused = await send({ path: scopesPath, token: rawKey })
  if (refused.status === 401 && jsonOf(refused).code === 'invalid_api_key') return ok()
  return fail(
    '401 invalid_api_key with the revoked key',
    brief(refused),
    'remove caches of answers or keys between API Gateway and the functions',
  )
}
