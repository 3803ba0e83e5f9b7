import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { diagnostic } from '../../../shared/outbound/diagnostic.ts'
import { Secret } from '../../../shared/secrets/secret.ts'

const tellingLength = 6
/** The replacement of a secret reveals nothing of it, even if the secret contains the same word. */
const placeholder = /\[secret\]/g

/** The 6-character parts of a secret that a text contains, in upper or lower case. */
function toldBy(text: string, secret: string): string[] {
  const shown = text.replace(placeholder, ' ').toLowerCase()
  const windows = Array.from({ length: Math.max(0, secret.length - tellingLength + 1) }, (_, at) =>
    secret.slice(at, at + tellingLength).toLowerCase(),
  )
  return windows.filter((window) => shown.includes(window))
}

const key = 'sk-proj-Ab3dEf6hIj9lMn2pQr5tUv8x'
const said = (text: string, secret = key) => diagnostic(text, [new Secret(secret)])

/** Keys as customers have them, and every text that a key field takes. */
const keys = fc.stringMatching(/^[A-Za-z0-9_-]{6,80}$/)
const anyHeaderText = fc.stringMatching(/^[\x21-\x7e]{6,80}$/)

const spellings: ((secret: string) => string)[] = [
  (secret) => secret,
  (secret) => secret.toUpperCase(),
  (secret) => secret.toLowerCase(),
  (secret) => encodeURIComponent(secret),
  (secret) => `Bearer ${secret}`,
  (secret) => `"${secret}"`,
  (secret) => `?key=${encodeURIComponent(secret)}&alt=json`,
  (secret) => secret.slice(0, 10),
  (secret) => secret.slice(-10),
  (secret) => secret.slice(2, -2),
  (secret) => `${secret.slice(0, 8)}${'*'.repeat(20)}${secret.slice(-4)}`,
  (secret) => `${secret.slice(0, 7)}...${secret.slice(-7)}`,
  (secret) => `${secret.slice(0, 7)}…${secret.slice(-7)}`,
  (secret) => `${secret.slice(0, 9)}\u200b${secret.slice(9)}`,
  (secret) => `${secret.slice(0, 9)}\n${secret.slice(9)}`,
  (secret) => `${secret}.`,
  (secret) => `x${secret}y`,
]

/** Words in which a secret may stand anywhere, spelled in any way. */
const tellingText = (secrets: fc.Arbitrary<string>) =>
  secrets.chain((secret) =>
    fc.record({
      secret: fc.constant(secret),
      text: fc
        .array(
          fc.oneof(
            fc.string({ unit: 'grapheme', maxLength: 30 }),
            fc.string({ unit: 'binary', maxLength: 30 }),
            fc.constantFrom(...spellings).map((spell) => spell(secret)),
            fc.constantFrom(' ', ', ', '\r\n', '\u2028', '\t', 'Incorrect API key provided: '),
          ),
          { maxLength: 60 },
        )
        .map((parts) => parts.join('')),
    }),
  )

describe('a diagnostic', () => {
  test('never contains 6 consecutive characters of a key, in upper or lower case', () => {
    fc.assert(
      fc.property(tellingText(keys), ({ secret, text }) => {
        expect(toldBy(said(text, secret), secret)).toEqual([])
      }),
      { numRuns: 1000 },
    )
  })

  test('never contains 6 consecutive characters of any secret valid in a header, in upper or lower case', () => {
    fc.assert(
      fc.property(tellingText(anyHeaderText), ({ secret, text }) => {
        expect(toldBy(said(text, secret), secret)).toEqual([])
      }),
      { numRuns: 1000 },
    )
  })

  test('holds nothing of a secret that has the marks in it that words end at', () => {
    for (const secret of [
      'ab,cd,ef,gh,ij,kl',
      'k[0]{1}(2);3"4"',
      "a'b'c'd'e'f'g'h",
      '<user>:<pass>',
      'abcd"efgh"ijkl',
    ]) {
      expect(toldBy(said(`Incorrect API key provided: ${secret}.`, secret), secret), secret).toEqual([])
      expect(said(`Incorrect API key provided: ${secret}.`, secret)).toContain('Incorrect API key provided')
    }
  })

  test('is one line of at most 500 characters that a table can store, for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 2000 }), keys, (text, secret) => {
        const result = said(text, secret)
        expect(result.length).toBeLessThanOrEqual(500)
        expect(result).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u)
        expect(result.isWellFormed()).toBe(true)
        expect(result).toBe(result.trim())
      }),
    )
    expect(said('word '.repeat(100_000)).length).toBeGreaterThanOrEqual(400)
    expect(said('word '.repeat(100_000)).length).toBeLessThanOrEqual(500)
    expect(said('😀'.repeat(1000)).isWellFormed()).toBe(true)
  })

  test('contains no part of a secret at the point of truncation', () => {
    for (let before = 470; before <= 505; before++) {
      expect(toldBy(said(`${'x'.repeat(before)} ${key}`), key)).toEqual([])
    }
    for (let before = 3960; before <= 4005; before++) {
      expect(toldBy(said(`${' '.repeat(before)}${key}`), key)).toEqual([])
    }
  })

  test('keeps everything else: words, punctuation, links', () => {
    const text = 'Incorrect API key provided. You can find yours at https://platform.openai.com/account/api-keys.'
    expect(said(text)).toBe(text)
    expect(said(`Incorrect API key provided: ${key}. Try again.`)).toBe(
      'Incorrect API key provided: [secret] Try again.',
    )
  })

  test('removes masked parts with asterisks, for any secret', () => {
    expect(said('Incorrect API key provided: gsk_****ab12.')).toBe('Incorrect API key provided: [secret]')
  })

  test('holds nothing of any of several secrets', () => {
    const other = 'xai-0123456789abcdef'
    const result = diagnostic(`${key} then ${other}`, [new Secret(key), new Secret(other)])
    expect(result).toBe('[secret] then [secret]')
  })

  test('holds nothing of a short secret either', () => {
    expect(said('the key xyz9 is wrong', 'xyz9')).toBe('the key [secret] is wrong')
    expect(said('the key XYZ9 is wrong', 'xyz9')).toBe('the key [secret] is wrong')
  })
})
