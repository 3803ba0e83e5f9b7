/**
 * The digests of the SDK: the SHA-256 that signs calls of AWS, and the MD5 of SQS. In the bundles it replaces the SDK's (`lib/bundle.ts`). Node derives the key of every
 * HMAC anew, which takes five times as long as the HMAC; a call needs two. This keeps the last keys.
 */
import { createHash, createHmac, createSecretKey, type KeyObject } from 'node:crypto'
import { setBounded } from '../bounded-map.ts'

type Data = string | ArrayBuffer | ArrayBufferView

/** Keys of a day: the secret, and the signing key that the signer derives from it. */
const keys = new Map<Data, KeyObject>()
const maxKeys = 8

function keyOf(secret: Data): KeyObject {
  const known = keys.get(secret)
  if (known) return known
  const key = createSecretKey(bytesOf(secret))
  setBounded(keys, secret, key, maxKeys)
  return key
}

const bytesOf = (data: Data): Uint8Array =>
  typeof data === 'string'
    ? Buffer.from(data)
    : ArrayBuffer.isView(data)
      ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      : new Uint8Array(data)

/** A hash, or with a secret an HMAC, as the signer of the SDK uses it: it takes one digest of each. */
export class Sha256 {
  readonly #secret: Data | undefined
  #hash
  constructor(secret?: Data) {
    this.#secret = secret
    this.#hash = this.#start()
  }

  update(data: Uint8Array): void {
    this.#hash.update(data)
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest())
  }

  reset(): void {
    this.#hash = this.#start()
  }

  #start() {
    return this.#secret === undefined ? createHash('sha256') : createHmac('sha256', keyOf(this.#secret))
  }
}

/** The digest by which SQS confirms a message. */
export class Md5 {
  #hash = createHash('md5')

  update(data: Data): void {
    this.#hash.update(bytesOf(data))
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest())
  }

  reset(): void {
    this.#hash = createHash('md5')
  }
}
