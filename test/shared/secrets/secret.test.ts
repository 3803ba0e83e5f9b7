import { Console } from 'node:console'
import { Writable } from 'node:stream'
import { format, inspect } from 'node:util'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isMask, maskedUrl, maskOf, Secret, secretField } from '../../../shared/secrets/secret.ts'

const value = 'kJ8sLw2mQz71pXv7'
const secret = new Secret(value)

function printedByConsole(...values: unknown[]): string {
  let text = ''
  const stdout = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk)
      done()
    },
  })
  new Console({ stdout }).log(...values)
  return text.trimEnd()
}

describe('a secret in memory', () => {
  test('is handed out by reveal', () => {
    expect(secret.reveal()).toBe(value)
  })

  test.each([
    ['String', String(secret)],
    ['a template', `${secret}`],
    ['joining', [secret].join()],
    ['inspect', inspect(secret)],
    ['inspect of hidden properties', inspect(secret, { showHidden: true, depth: 9 })],
    ['format %s', format('%s', secret)],
    ['format %o', format('%o', secret)],
    ['format %O', format('%O', secret)],
    ['format without a placeholder', format(secret)],
    ['the console', printedByConsole(secret)],
  ])('is printed as [secret] by %s', (_how, printed) => {
    expect(printed).toBe('[secret]')
  })

  test('is "[secret]" in JSON, alone and inside', () => {
    expect(JSON.stringify(secret)).toBe('"[secret]"')
    expect(JSON.stringify({ config: { api_key: secret }, list: [secret] })).toBe(
      '{"config":{"api_key":"[secret]"},"list":["[secret]"]}',
    )
    expect(format('%j', { secret })).toBe('{"secret":"[secret]"}')
  })

  test('is printed so inside objects, errors and their causes', () => {
    const error = new Error('failed', { cause: { request: { secret } } })
    for (const text of [
      inspect({ deep: { secret } }, { depth: 9 }),
      inspect(error, { depth: 9 }),
      printedByConsole({ secret }),
    ]) {
      expect(text).toContain('[secret]')
      expect(text).not.toContain(value)
    }
  })

  test('is not in any enumeration, copy or clone', () => {
    const copies = [
      { ...secret },
      Object.assign({}, secret),
      structuredClone(secret),
      Object.entries(secret),
      Object.getOwnPropertyDescriptors(secret),
      Reflect.ownKeys(secret),
      JSON.parse(JSON.stringify({ ...secret })),
    ]
    for (const copy of copies) {
      expect(inspect(copy, { depth: 9, showHidden: true })).not.toContain(value)
      expect(JSON.stringify(copy)).not.toContain(value)
    }
    expect(Reflect.ownKeys(secret)).toEqual([])
  })

  test('is not shown by an inspect that asks the class nothing', () => {
    expect(inspect(secret, { customInspect: false, showHidden: true })).not.toContain(value)
  })

  test('is nothing that a number or a comparison gives away', () => {
    expect(Number(secret)).toBeNaN()
    expect(String(new Secret('a'))).toBe(String(new Secret('b')))
  })
})

describe('the mask of a secret', () => {
  test.each([
    ['', '…'],
    ['abcd', '…'],
    ['abcdefghijk', '…'],
    ['abcdefghijkl', '…ijkl'],
    ['abcdefghijklm', '…jklm'],
  ])('of %j is %j', (text, mask) => {
    expect(maskOf(new Secret(text))).toBe(mask)
  })

  test('never reveals more than 4 characters, and of a short secret none', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ maxLength: 40 }), fc.string({ unit: 'grapheme', maxLength: 40 })), (text) => {
        const mask = maskOf(new Secret(text))
        expect(mask.startsWith('…')).toBe(true)
        const shown = mask.slice(1)
        expect(shown.length).toBeLessThanOrEqual(4)
        expect(text.endsWith(shown)).toBe(true)
        if (text.length < 12) expect(shown).toBe('')
        else expect(shown.length).toBeGreaterThan(0)
      }),
    )
  })

  test('is text that can be stored and hashed, for any last characters of the secret', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', minLength: 12, maxLength: 20 }),
        fc.string({ maxLength: 4 }),
        (text, end) => {
          expect(maskOf(new Secret(`${text}\u{1F511}${end}`)).isWellFormed()).toBe(true)
        },
      ),
    )
  })

  test.each([
    ['https://hooks.slack.com/services/T1/B2/kJ8sLw2mQz71', 'https://hooks.slack.com/…Qz71'],
    ['https://acme.io:8443/a?sig=kJ8sLw2mQz71', 'https://acme.io:8443/…Qz71'],
    ['https://acme.io:443/a#kJ8sLw2mQz71', 'https://acme.io/…Qz71'],
    ['HTTPS://ACME.IO/kJ8sLw2mQz71', 'https://acme.io/…Qz71'],
  ])('of the URL %s is %s', (text, mask) => {
    expect(maskedUrl(new Secret(text))).toBe(mask)
  })

  test('of a URL shows scheme and host and at most 4 characters of the rest', () => {
    fc.assert(
      fc.property(fc.domain(), fc.string({ maxLength: 40 }), (host, rest) => {
        const text = `https://${host}/${encodeURIComponent(rest)}`
        const mask = maskedUrl(new Secret(text))
        expect(mask.startsWith(`https://${host}/…`)).toBe(true)
        expect(mask.length - `https://${host}/…`.length).toBeLessThanOrEqual(4)
      }),
    )
  })

  test('is known for a mask when it comes back, and so is that of a URL', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (text) => {
        expect(isMask(maskOf(new Secret(text)))).toBe(true)
        expect(isMask(maskedUrl(new Secret(`https://acme.io/${encodeURIComponent(text)}`)))).toBe(true)
      }),
    )
    expect(isMask('https://hooks.slack.com/services/T1/B2/kJ8sLw2mQz71')).toBe(false)
  })
})

describe('a secret field of a request', () => {
  test('is wrapped, so that no log line shows a parsed secret', () => {
    const parsed = secretField().parse(value)
    expect(parsed).toBeInstanceOf(Secret)
    expect(parsed.reveal()).toBe(value)
    expect(inspect({ parsed })).toBe('{ parsed: [secret] }')
  })

  test.each([
    ['an empty text', ''],
    ['a mask', '…pXv7'],
    ['more characters than KMS takes', 'x'.repeat(4097)],
    ['more bytes than KMS takes', '€'.repeat(1366)],
    ['what is no text', 7],
  ])('refuses %s without repeating it', (_title, text) => {
    const result = secretField().safeParse(text)
    expect(result.success).toBe(false)
    expect(result.error?.issues.length).toBeGreaterThan(0)
    for (const { message } of result.error?.issues ?? []) expect(message).not.toContain('pXv7')
  })

  test.each([
    ['4096 characters of one byte', 'x'.repeat(4096)],
    ['1365 characters of three bytes', '€'.repeat(1365)],
  ])('takes %s', (_title, text) => {
    expect(secretField().parse(text).reveal()).toBe(text)
  })
})
