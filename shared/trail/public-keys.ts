/** The public keys of the audit trail: the current one, and each that has ever signed a checkpoint. */
import type { PublicJwk } from '../secrets/signing.ts'
import { signingJwk } from '../secrets/signing.ts'
import { queryPage } from '../table/query.ts'
import { fromRow } from '../table/rows.ts'
import { putRowIf } from '../table/update.ts'

const partition = 'AUDITKEYS'
const prefix = 'KID#'
/** A key signs for months or years; no stage gets near it. */
const maxKeys = 100

/** The JWKs, oldest `kid` in no particular place. The current key is there before it has signed. */
export async function publicKeys(): Promise<PublicJwk[]> {
  const [current, { rows }] = await Promise.all([
    signingJwk(),
    queryPage({ partition, prefix, limit: maxKeys, after: undefined }),
  ])
  const kept = rows.map((row) => fromRow<{ jwk: PublicJwk }>(row).jwk).filter(({ kid }) => kid !== current.kid)
  return [current, ...kept.map(({ kty, crv, x, y, kid, alg, use }) => ({ kty, crv, x, y, kid, alg, use }))]
}

const known = new Set<string>()

/** Keeps a key published after the deployment signs with another one. */
export async function keepPublished(jwk: PublicJwk): Promise<void> {
  if (known.has(jwk.kid)) return
  await putRowIf({ pk: partition, sk: prefix + jwk.kid, jwk }, { ConditionExpression: 'attribute_not_exists(pk)' })
  known.add(jwk.kid)
}
