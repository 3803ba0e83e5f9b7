import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  type Environment,
  generateRawKey,
  hashRawKey,
  isIntactRawKey,
  looksLikeRawKey,
} from '../../../shared/auth/api-key.ts'
import type { KeyType } from '../../../shared/auth/scopes.ts'
import { callsDuring } from '../../support/faults.ts'
import { invoke } from '../../support/invoke.ts'
import { makeKey, makeOrg, type TestOrg } from '../../support/orgs.ts'
import { expectProblem } from '../../support/problems.ts'

const tags: Record<KeyType, string> = { org: 'org', app: 'app', publishable: 'pub' }
const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

const keyTypes = fc.constantFrom<KeyType>('org', 'app', 'publishable')
const environments = fc.constantFrom<Environment>('live', 'test')
const generated = fc
  .tuple(keyTypes, environments)
  .map(([type, environment]) => generateRawKey(type, environment).rawKey)
/** The characters that a hand or a paste can put in a key's place. */
const characters = fc.oneof(
  fc.constantFrom(...base62),
  fc.constantFrom('_', '-', ' ', '\n', '.', 'é', '０', 'І'),
  fc.string({ minLength: 1, maxLength: 1 }),
)

/** CRC-32 (IEEE 802.3) bit by bit, as its definition has it. */
function crc32(text: string): number {
  let crc = 0xffffffff
  for (const byte of Buffer.from(text)) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  return (crc ^ 0xffffffff) >>> 0
}

function inBase62(number: number): string {
  const digits: string[] = []
  for (let rest = BigInt(number); rest > 0n; rest /= 62n) digits.unshift(base62[Number(rest % 62n)] ?? '')
  return digits.join('').padStart(6, '0')
}

describe('raw keys', () => {
  test('each is intact, has its type and environment, and shows four of its random characters', () => {
    fc.assert(
      fc.property(keyTypes, environments, (type, environment) => {
        const { rawKey, prefix } = generateRawKey(type, environment)
        const typed = `oct_${tags[type]}_${environment}_`
        expect(rawKey).toMatch(new RegExp(`^${typed}[0-9A-Za-z]{38}$`))
        expect(prefix).toBe(rawKey.slice(0, typed.length + 4))
        expect(isIntactRawKey(rawKey)).toBe(true)
        expect(looksLikeRawKey(rawKey)).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })

  test('each ends in the CRC-32 of the preceding text, in base62 padded to six', () => {
    expect(crc32('123456789')).toBe(0xcbf43926)
    fc.assert(
      fc.property(generated, (rawKey) => {
        expect(rawKey.slice(-6)).toBe(inBase62(crc32(rawKey.slice(0, -6))))
      }),
      { numRuns: 300 },
    )
  })

  test('vectors that were computed elsewhere are intact', () => {
    const vectors = vectorBodies.map(([body, checksum]) => body + checksum)
    for (const vector of vectors) expect([vector, isIntactRawKey(vector)]).toEqual([vector, true])
    expect(vectors.some((vector) => /[A-Za-z0-9]{32}0[0-9A-Za-z]{5}$/.test(vector))).toBe(true)
  })

  test('no two are alike, and each random character is any of the 62', () => {
    const keys = Array.from({ length: 2000 }, () => generateRawKey('org', 'live').rawKey)
    expect(new Set(keys).size).toBe(keys.length)
    for (let position = 13; position < 13 + 32; position++) {
      const seen = new Set(keys.map((key) => key[position]))
      expect(seen.size, `position ${position}`).toBe(62)
    }
  })

  test('the hash is SHA-256 in lower-case hex', () => {
    expect(hashRawKey('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  })
})

describe('a mistyped key', () => {
  const positions = fc.nat(1000)
  const at = (key: string, position: number) => position % key.length

  test('with one character replaced by another is noticed, wherever', () => {
    fc.assert(
      fc.property(generated, positions, characters, (key, position, character) => {
        const index = at(key, position)
        fc.pre(key[index] !== character)
        expect(isIntactRawKey(key.slice(0, index) + character + key.slice(index + 1))).toBe(false)
      }),
      { numRuns: 3000 },
    )
  })

  test('with each character replaced by each other of base62 is noticed', () => {
    const { rawKey } = generateRawKey('org', 'live')
    for (let index = 0; index < rawKey.length; index++) {
      for (const character of base62) {
        if (rawKey[index] === character) continue
        const typo = rawKey.slice(0, index) + character + rawKey.slice(index + 1)
        if (isIntactRawKey(typo)) expect.fail(`${rawKey} and ${typo} are both intact`)
      }
    }
  })

  test('with one character left out is noticed, wherever', () => {
    fc.assert(
      fc.property(generated, positions, (key, position) => {
        const index = at(key, position)
        expect(isIntactRawKey(key.slice(0, index) + key.slice(index + 1))).toBe(false)
      }),
      { numRuns: 1000 },
    )
  })

  test('with one character too many is noticed, wherever', () => {
    fc.assert(
      fc.property(generated, positions, characters, (key, position, character) => {
        const index = position % (key.length + 1)
        expect(isIntactRawKey(key.slice(0, index) + character + key.slice(index))).toBe(false)
      }),
      { numRuns: 2000 },
    )
  })

  test('with two neighbours swapped is noticed, wherever', () => {
    fc.assert(
      fc.property(generated, positions, (key, position) => {
        const index = position % (key.length - 1)
        const [one = '', other = ''] = [key[index], key[index + 1]]
        fc.pre(one !== other)
        expect(isIntactRawKey(key.slice(0, index) + other + one + key.slice(index + 2))).toBe(false)
      }),
      { numRuns: 2000 },
    )
  })

  test('cut short at either end, or pasted twice, is noticed', () => {
    fc.assert(
      fc.property(generated, fc.integer({ min: 1, max: 50 }), (key, count) => {
        expect(isIntactRawKey(key.slice(0, -count))).toBe(false)
        expect(isIntactRawKey(key.slice(count))).toBe(false)
        expect(isIntactRawKey(key + key)).toBe(false)
        expect(isIntactRawKey(key.toUpperCase())).toBe(false)
      }),
      { numRuns: 300 },
    )
  })

  test('no other text counts as a key', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string({ unit: 'binary' }),
          fc.string().map((text) => `oct_${text}`),
        ),
        (text) => {
          expect(isIntactRawKey(text)).toBe(false)
        },
      ),
      { numRuns: 1000 },
    )
  })
})

describe('a typo in a key that is sent', () => {
  let org: TestOrg
  let rawKey: string
  beforeAll(async () => {
    org = await makeOrg()
    rawKey = (await makeKey(org)).api_key
  })

  test('is refused without a single call to the table, in either header', async () => {
    const typo = rawKey.slice(0, 20) + (rawKey[20] === 'x' ? 'y' : 'x') + rawKey.slice(21)
    const calls = await callsDuring(async () => {
      expectProblem(await invoke('api-keys/scopes', { token: typo }), 'invalid_api_key')
      expectProblem(await invoke('api-keys/scopes', { token: rawKey.slice(0, -1) }), 'invalid_api_key')
      expectProblem(await invoke('api-keys/scopes', { headers: { 'x-api-key': typo } }), 'invalid_api_key')
      expectProblem(await invoke('api-keys/scopes', { headers: { 'x-api-key': 'x' } }), 'invalid_api_key')
    })
    expect(calls).toEqual([])
  })

  test('costs at most as much as a valid one: an unknown key is one read', async () => {
    const unknown = await callsDuring(async () => {
      const token = generateRawKey('org', 'live').rawKey
      expectProblem(await invoke('api-keys/scopes', { token }), 'invalid_api_key')
    })
    expect(unknown.map(({ command }) => command)).toEqual(['GetItemCommand'])
    const known = await callsDuring(async () => {
      expect((await invoke('api-keys/scopes', { token: rawKey })).status).toBe(200)
    })
    expect(known.length).toBeGreaterThan(1)
  })
})

/** Computed with Python: `zlib.crc32`, then base62 by hand. The third has a checksum that needs its padding. */
const vectorBodies: readonly (readonly [string, string])[] = [
  ['oct_org_live_Ky9Pf34qY6Nb3wWD25RQ4F5ZR3qa7yEe', '1yYuaS'],
  ['oct_app_test_eby3abP3E2Zs8IQ9Y7aJZqhB6baeCN6Z', '18flpk'],
  ['oct_pub_test_PyzXEpzPTDA8xn4ppeCUfZkEqz9Mgerq', '00Zoqd'],
  ['oct_org_live_00000000000000000000000000000000', '1uId8N'],
]
