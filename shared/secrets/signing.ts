/** Signing with the asymmetric KMS key of the audit trail, and its public key. */
import { createHash, createPublicKey, type JsonWebKey } from 'node:crypto'
import { GetPublicKeyCommand, SignCommand } from '@aws-sdk/client-kms'
import { requiredEnvironment } from '../runtime/environment.ts'
import { keyProblem, kms } from './kms.ts'

/** A public key as a JWK set serves it. `kid` is its thumbprint (RFC 7638). */
export interface PublicJwk {
  kty: 'EC'
  crv: 'P-256'
  x: string
  y: string
  kid: string
  alg: 'ES256'
  use: 'sig'
}

let shared: Promise<PublicJwk> | undefined

/**
 * The public key of the deployment's signing key, read once per process.
 *
 * @throws ProblemError `service_unavailable` when the key cannot be used
 */
export function signingJwk(): Promise<PublicJwk> {
  shared ??= readPublicKey().catch((error: unknown) => {
    shared = undefined
    throw keyProblem(error)
  })
  return shared
}

async function readPublicKey(): Promise<PublicJwk> {
  const { PublicKey } = await kms().send(new GetPublicKeyCommand({ KeyId: requiredEnvironment('auditKeyId') }))
  if (!PublicKey) throw new Error('KMS answered without a public key')
  const key = createPublicKey({ key: Buffer.from(PublicKey), format: 'der', type: 'spki' })
  const { x = '', y = '' } = key.export({ format: 'jwk' }) as JsonWebKey
  const thumbprint = createHash('sha256').update(`{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`).digest('base64url')
  return { kty: 'EC', crv: 'P-256', x, y, kid: thumbprint, alg: 'ES256', use: 'sig' }
}

/**
 * Signs a text of at most 4096 bytes with ECDSA_SHA_256.
 *
 * @returns the DER signature in base64
 * @throws ProblemError `service_unavailable` when the key cannot be used
 */
export async function sign(text: string): Promise<string> {
  const command = new SignCommand({
    KeyId: requiredEnvironment('auditKeyId'),
    Message: Buffer.from(text),
    MessageType: 'RAW',
    SigningAlgorithm: 'ECDSA_SHA_256',
  })
  const { Signature } = await kms()
    .send(command)
    .catch((error: unknown) => {
      throw keyProblem(error)
    })
  if (!Signature) throw new Error('KMS answered without a signature')
  return Buffer.from(Signature).toString('base64')
}
