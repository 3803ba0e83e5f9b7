/** Signatures of checkpoints: ECDSA on P-256 with SHA-256. Web Crypto only, so that they are verified anywhere. */
import type { ExportedCheckpoint } from './audit-lines.ts'
import { canonicalJson } from './canonical-json.ts'

/** A public key as `GET /api/v1/audit-key` returns it. */
export interface AuditKey {
  kid?: string
  kty?: string
  crv?: string
  x?: string
  y?: string
}

type VerifyKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

/** Public keys by their `kid`. */
export type AuditKeys = ReadonlyMap<string, VerifyKey>

/** @throws TypeError when the value is not a JWK set of public keys on P-256 */
export async function importKeys(set: { keys: readonly AuditKey[] }): Promise<AuditKeys> {
  if (!Array.isArray(set?.keys) || set.keys.length === 0)
    throw new TypeError('The keys are not a JWK set: {"keys":[…]}')
  return new Map(await Promise.all(set.keys.map(importKey)))
}

async function importKey({ kid, kty, crv, x, y }: AuditKey): Promise<[string, VerifyKey]> {
  if (typeof kid !== 'string' || kty !== 'EC' || crv !== 'P-256' || !x || !y) {
    throw new TypeError('A key of the JWK set is not an EC key on P-256 with a kid')
  }
  const key = await crypto.subtle.importKey('jwk', { kty, crv, x, y }, algorithm, false, ['verify']).catch(() => {
    throw new TypeError(`The key ${kid} is not a point of P-256`)
  })
  return [kid, key]
}

/** Whether the key has signed the checkpoint. */
export async function isSignedWith(key: VerifyKey, checkpoint: ExportedCheckpoint): Promise<boolean> {
  const { org_id, block, hash, at, signature } = checkpoint
  const raw = rawSignature(bytesOf(signature))
  if (!raw) return false
  return crypto.subtle.verify(algorithm, key, raw, new TextEncoder().encode(canonicalJson({ org_id, block, hash, at })))
}

/** Base64 in its one canonical form; of any other text, no bytes. */
function bytesOf(base64: string): Uint8Array {
  try {
    const binary = atob(base64)
    if (btoa(binary) === base64) return Uint8Array.from(binary, (character) => character.charCodeAt(0))
  } catch {
    // Not base64.
  }
  return new Uint8Array()
}

/**
 * Web Crypto takes r and s as 64 bytes. KMS answers DER: SEQUENCE { INTEGER r, INTEGER s }, with a zero before an integer
 * whose first bit is set. Each length is one byte, as the integers are below 2^256.
 */
function rawSignature(der: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  if (der[0] !== 0x30 || der[1] !== der.length - 2) return undefined
  const raw = new Uint8Array(64)
  let at = 2
  for (const end of [32, 64]) {
    const length = der[at + 1] ?? 0
    const digits = der.subarray(at + (der[at + 2] === 0 ? 3 : 2), at + 2 + length)
    if (der[at] !== 2 || digits.length === 0 || digits.length > 32) return undefined
    raw.set(digits, end - digits.length)
    at += 2 + length
  }
  return at === der.length ? raw : undefined
}
