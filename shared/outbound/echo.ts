/** Detects secrets in a third party's text, also in encodings and spellings that a reader could undo. */
import type { Secret } from '../secrets/secret.ts'

/** Shorter parts of keys also occur in other words. A common prefix of keys is not much longer. */
const tellingLength = 12

const squeezed = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9]/g, '')

/**
 * The forms in which a text can repeat a secret: unchanged, reversed, hex, and base64 at any offset in a longer text.
 */
function spellings(secret: string): string[] {
  const bytes = Buffer.from(secret)
  const base64 = [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .replace(/=+$/, '')
    // The first and last characters depend on the bytes around the secret.
    return text.slice(shift === 0 ? 0 : shift + 1, text.length - 1)
  })
  return [secret, [...secret].reverse().join(''), bytes.toString('hex'), ...base64].map(squeezed)
}

/** Whether a text contains a revealing part of a secret, with any separators inside. */
export function repeatsSecret(text: string, secret: Secret): boolean {
  const within = squeezed(text)
  const unquoted = squeezed(text.replaceAll(/%([0-9a-f]{2})/gi, (_all, hex) => String.fromCharCode(Number(`0x${hex}`))))
  return spellings(secret.reveal()).some((form) => {
    const length = Math.min(tellingLength, form.length)
    if (length === 0) return false
    for (let at = 0; at + length <= form.length; at++) {
      const part = form.slice(at, at + length)
      if (within.includes(part) || unquoted.includes(part)) return true
    }
    return false
  })
}
