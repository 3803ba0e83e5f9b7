/**
 * Signing secrets of webhooks. Standard Webhooks 1.0.0, "Signature scheme": `whsec_` and base64 of 24 to 64 random
 * bytes. https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */

const prefix = 'whsec_'
export const signingSecretMessage = 'must be base64 of 24 to 64 bytes after whsec_'

/** The bytes after the prefix; undefined when they are no base64 of 24 to 64 bytes. */
function encodedKey(text: string): Buffer | undefined {
  const encoded = text.slice(prefix.length)
  const key = Buffer.from(encoded, 'base64')
  return key.length >= 24 && key.length <= 64 && key.toString('base64') === encoded ? key : undefined
}

export const isSigningSecret = (text: string): boolean => !text.startsWith(prefix) || encodedKey(text) !== undefined

/** The HMAC key of a secret. Secrets that were stored before the rule for `whsec_` are read as UTF-8. */
export const signingKey = (text: string): Buffer =>
  (text.startsWith(prefix) ? encodedKey(text) : undefined) ?? Buffer.from(text, 'utf8')
