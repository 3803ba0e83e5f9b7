/**
 * The format of raw API keys: `oct_<org|app|pub|svc>_<live|test>_`, 32 base62 characters from a CSPRNG, and a checksum. The
 * checksum is the CRC-32 of all characters before it in 6 base62 characters; it finds typos without a read.
 */
import { hash, randomInt } from 'node:crypto'
import { lazy } from '../lazy.ts'
import type { KeyType } from './scopes.ts'

export type Environment = 'live' | 'test'

const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** `service`: a key of the operator of the platform. */
type RawKeyType = KeyType | 'service'
const typeTags = { org: 'org', app: 'app', publishable: 'pub', service: 'svc' } as const satisfies Record<
  RawKeyType,
  string
>
const rawKeyPattern = /^oct_(?:org|app|pub|svc)_(?:live|test)_[0-9A-Za-z]{38}$/
const checksumLength = 6

/** CRC-32 in base62, padded with `0` to six characters (62^6 > 2^32). */
function checksum(text: string): string {
  let rest = crc32(text)
  let digits = ''
  while (digits.length < checksumLength) {
    digits = base62.charAt(rest % 62) + digits
    rest = Math.floor(rest / 62)
  }
  return digits
}

/** Of ASCII text. Loading `node:zlib`, which nothing else in a function needs, takes 0.7 ms of a cold start. */
function crc32(text: string): number {
  let crc = -1
  for (let index = 0; index < text.length; index++) {
    crc = (crc >>> 8) ^ (remainders()[(crc ^ text.charCodeAt(index)) & 0xff] ?? 0)
  }
  return ~crc >>> 0
}

const remainders = lazy(() =>
  Int32Array.from({ length: 256 }, (_, byte) => {
    let rest = byte
    for (let bit = 0; bit < 8; bit++) rest = (rest >>> 1) ^ (rest & 1 ? 0xedb88320 : 0)
    return rest
  }),
)

/** A new raw key and its public prefix: the typed prefix and the first 4 of 32 random characters. */
export function generateRawKey(keyType: RawKeyType, environment: Environment): { rawKey: string; prefix: string } {
  const typedPrefix = `oct_${typeTags[keyType]}_${environment}_`
  const random = Array.from({ length: 32 }, () => base62.charAt(randomInt(62))).join('')
  const body = typedPrefix + random
  return { rawKey: body + checksum(body), prefix: typedPrefix + random.slice(0, 4) }
}

/** Whether a token has the prefix of API keys. Such a token is never tried as a JWT. */
export const looksLikeRawKey = (token: string): boolean => token.startsWith('oct_')

/** Whether a raw key is a service key. */
export const isServiceKey = (rawKey: string): boolean => rawKey.startsWith('oct_svc_')

/** Whether a raw key is well formed and its checksum is right. The key may still be unknown. */
export const isIntactRawKey = (token: string): boolean =>
  rawKeyPattern.test(token) && checksum(token.slice(0, -checksumLength)) === token.slice(-checksumLength)

/** SHA-256 in lower-case hex, the only stored form of a raw key. 190 random bits need no salt and no slow hash. */
export const hashRawKey = (rawKey: string): string => hash('sha256', rawKey, 'hex')
