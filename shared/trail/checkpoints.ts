/** Checkpoints: signatures of the newest block's hash. A checkpoint vouches for all blocks before it too. */
import { createPublicKey, verify } from 'node:crypto'
import canonicalize from 'canonicalize'
import { isKept } from '../audit/event-rows.ts'
import { newId } from '../ids.ts'
import { dueTimeOf } from '../runtime/due-clock.ts'
import { type PublicJwk, sign, signingJwk } from '../secrets/signing.ts'
import type { PageSpec } from '../table/page-spec.ts'
import { queryPage } from '../table/query.ts'
import { fromRow, orgPartition, type Row } from '../table/rows.ts'
import { putRowIf, updateRowIf } from '../table/update.ts'
import { checkpointKey, checkpointPrefix, headKey, readHead } from './blocks.ts'
import type { Checkpoint } from './checkpoint.ts'
import { keepPublished } from './public-keys.ts'

type Signed = Pick<Checkpoint, 'org_id' | 'block' | 'hash' | 'at'>

const signedText = ({ org_id, block, hash, at }: Signed): string => canonicalize({ org_id, block, hash, at }) ?? ''

const hourMs = 3_600_000
/** Days that a checkpoint outlives its block: it vouches for the block that follows. */
const keepLongerSeconds = 31 * 86_400

/** Signs the newest block, if the org has no checkpoint, or a block that is unsigned for an hour. */
export async function signIfDue(orgId: string, now: Date): Promise<Checkpoint | undefined> {
  const head = await readHead(orgId)
  if (head?.unsignedSince === undefined) return undefined
  const isDue = head.signedBlock === undefined || dueTimeOf(now).getTime() - Date.parse(head.unsignedSince) > hourMs
  if (!isDue) return undefined
  const jwk = await signingJwk()
  await keepPublished(jwk)
  const content: Signed = { org_id: orgId, block: head.number, hash: head.hash, at: now.toISOString() }
  const signature = await sign(signedText(content))
  const checkpoint: Checkpoint = { id: newId('chk'), ...content, kid: jwk.kid, signature }
  const { org_id: _orgId, ...stored } = checkpoint
  const expires_at_epoch = head.expiryEpoch + keepLongerSeconds
  const isNew = await putRowIf(
    { ...checkpointKey(orgId, head.number), ...stored, expires_at_epoch },
    { ConditionExpression: 'attribute_not_exists(pk)' },
  )
  const names = { ExpressionAttributeNames: { '#number': 'number' } }
  const values = { ExpressionAttributeValues: { ':block': head.number } }
  const isNewest = await updateRowIf(headKey(orgId), {
    UpdateExpression: 'SET signed_block = :block REMOVE unsigned_since',
    ConditionExpression: '#number = :block',
    ...names,
    ...values,
  })
  // Blocks sealed meanwhile are unsigned for less than the head says; they are signed early rather than late.
  if (!isNewest) {
    const update = { UpdateExpression: 'SET signed_block = :block', ConditionExpression: '#number > :block' }
    await updateRowIf(headKey(orgId), { ...update, ...names, ...values })
  }
  return isNew ? checkpoint : undefined
}

export function toCheckpoint(orgId: string, row: Row): Checkpoint {
  const { id, block, hash, at, kid, signature } = fromRow<Checkpoint>(row)
  return { id, org_id: orgId, block, hash, at, kid, signature }
}

/** One page of an org's checkpoints, newest first. */
export async function listCheckpoints(
  orgId: string,
  page: PageSpec,
): Promise<{ data: Checkpoint[]; next: string | undefined }> {
  const { rows, next } = await queryPage({
    partition: orgPartition(orgId),
    prefix: checkpointPrefix,
    newestFirst: true,
    limit: page.limit,
    after: page.after,
  })
  const kept = rows.filter((row) => isKept(row, page.now))
  return { data: kept.map((row) => toCheckpoint(orgId, row)), next: kept.length < rows.length ? undefined : next }
}

/** The checkpoints from a block on, oldest first. */
export async function checkpointsFrom(orgId: string, block: number, limit: number, now: Date): Promise<Checkpoint[]> {
  const { rows } = await queryPage({
    partition: orgPartition(orgId),
    prefix: checkpointPrefix,
    from: checkpointKey(orgId, block).sk,
    limit,
  })
  return rows.filter((row) => isKept(row, now)).map((row) => toCheckpoint(orgId, row))
}

/** Whether the signature of a checkpoint is that of one of the keys. */
export function isSignedBy(checkpoint: Checkpoint, keys: readonly PublicJwk[]): boolean {
  const jwk = keys.find(({ kid }) => kid === checkpoint.kid)
  if (!jwk) return false
  const key = createPublicKey({ key: { kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y }, format: 'jwk' })
  return verify('sha256', Buffer.from(signedText(checkpoint)), key, Buffer.from(checkpoint.signature, 'base64'))
}
