/** The format of raw keys, to refuse a mistyped or foreign token without a call. */

const keyPattern = /^oct_(?:org|app|pub|svc)_(?:live|test)_[0-9A-Za-z]{38}$/
/** The header of a JWT is a JSON object: `{"` in base64url. */
const jwtPattern = /^eyJ[\w-]*\.[\w-]+\.[\w-]*$/
const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const checksumLength = 6

/** The service's answer to a token that needs no look-up; undefined for a token that does. */
export function refusedUnseen(token: string): 'malformed' | 'unknown' | undefined {
  if (jwtPattern.test(token)) return 'unknown'
  if (!keyPattern.test(token) || checksum(token.slice(0, -checksumLength)) !== token.slice(-checksumLength))
    return 'malformed'
  // Keys of the operator's services are never introspected.
  return token.startsWith('oct_svc_') ? 'unknown' : undefined
}

/** CRC-32 in base62, padded with `0` to six characters. The text is ASCII. */
function checksum(text: string): string {
  let crc = -1
  for (let index = 0; index < text.length; index++) {
    crc ^= text.charCodeAt(index)
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  let rest = ~crc >>> 0
  let digits = ''
  while (digits.length < checksumLength) {
    digits = base62.charAt(rest % 62) + digits
    rest = Math.floor(rest / 62)
  }
  return digits
}
