/** Values that people paste: instants as ISO 8601 lets them be written, names that can be seen, numbers in digits. */
import { beforeAll, describe, expect, test } from 'vitest'
import { type OperationName, operationList, operations } from '../../../functions/operations.ts'
import { instantField, nameField } from '../../../shared/fields.ts'
import { happyRequest } from '../../support/happy-paths.ts'
import { invoke } from '../../support/invoke.ts'
import { makeBusyOrg, makeKey, type TestOrg } from '../../support/orgs.ts'
import { expectProblem, faultPaths } from '../../support/problems.ts'

let org: TestOrg
beforeAll(async () => {
  org = await makeBusyOrg()
})

describe('an instant', () => {
  test.each([
    ['2030-01-31T12:00:00Z', '2030-01-31T12:00:00.000Z'],
    ['2030-01-31T12:00Z', '2030-01-31T12:00:00.000Z'],
    ['2030-01-31T12Z', '2030-01-31T12:00:00.000Z'],
    ['2030-01-31t12:00:00z', '2030-01-31T12:00:00.000Z'],
    ['2030-01-31T12:00:00+01:00', '2030-01-31T11:00:00.000Z'],
    ['2030-01-31T12:00:00+0100', '2030-01-31T11:00:00.000Z'],
    ['2030-01-31T12:00+01', '2030-01-31T11:00:00.000Z'],
    ['2030-01-31T12:00:00-05:30', '2030-01-31T17:30:00.000Z'],
    ['2030-01-31T12:00:00\u221205:30', '2030-01-31T17:30:00.000Z'],
    ['2030-01-31T12:00:00,5Z', '2030-01-31T12:00:00.500Z'],
    ['2030-01-31T12:00:00.1Z', '2030-01-31T12:00:00.100Z'],
    ['2030-01-31T12:00:00.123456789Z', '2030-01-31T12:00:00.123Z'],
    ['2030-01-31T12:00:00.999999999999Z', '2030-01-31T12:00:00.999Z'],
    ['2030-01-31T12:30,5Z', '2030-01-31T12:30:30.000Z'],
    ['20300131T120000Z', '2030-01-31T12:00:00.000Z'],
    ['20300131T120000.25+0100', '2030-01-31T11:00:00.250Z'],
    ['2030-01-31T24:00:00Z', '2030-02-01T00:00:00.000Z'],
    ['2028-02-29T00:00:00Z', '2028-02-29T00:00:00.000Z'],
    ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00.000Z'],
    ['0050-01-01T00:00:00Z', '0050-01-01T00:00:00.000Z'],
  ])('%s is %s', (text, utc) => {
    expect(instantField().parse(text)).toBe(utc)
  })

  test.each([
    ...['2030-01-31T12:00:00', '2030-01-31T12:00', '2030-01-31', '20300131T120000', '2030-01-31 12:00:00Z'],
    ...['2030-02-30T12:00:00Z', '2029-02-29T00:00:00Z', '2030-13-01T00:00:00Z', '2030-00-10T00:00:00Z'],
    ...['2030-01-31T25:00:00Z', '2030-01-31T24:00:01Z', '2030-01-31T12:60:00Z', '2030-01-31T12:00:61Z'],
    ...['2030-01-31T12:00:00+24:00', '2030-01-31T12:00:00+01:60', '2030-01-31T12:00:00+1', '2030-01-31T12:00:00.Z'],
    ...['+002030-01-31T12:00:00Z', '30-01-31T12:00:00Z', '1893456000', '', 'now', ' 2030-01-31T12:00:00Z'],
    ...[
      '9999-12-31T23:59:59-01:00',
      '0000-01-01T00:00:00+01:00',
      '2030-01-31T12:00:00.5.5Z',
      `2030-01-31T12:00:00.${'0'.repeat(100)}Z`,
    ],
  ])('%s is refused', (text) => {
    expect(instantField().safeParse(text).success).toBe(false)
  })

  test('is kept as UTC with milliseconds, and one without an offset is 400 that asks for it', async () => {
    const key = await makeKey(org, { expires_at: '2040-01-31T12:00+0100' })
    expect(key.expires_at).toBe('2040-01-31T11:00:00.000Z')
    const body = { name: 'x', scopes: ['keys:read'], expires_at: '2040-01-31T12:00:00' }
    const refused = await invoke('api-keys/create', { token: org.adminKey, body })
    expectProblem(refused, 'invalid_input')
    expect(refused.body.detail).toContain('with an offset')
  })
})

describe('a name', () => {
  test.each([
    '\u200b',
    '\u2060',
    '\u3164',
    '\u2800',
    '\u00ad',
    '\ufeff',
    '\uffa0',
    '\u115f',
    '\u034f',
    '\u{e0020}',
    '\ufe0f',
  ])('of invisible characters is blank: %j', (character) => {
    for (const name of [character, character.repeat(3), ` ${character}\u00a0`]) {
      expect(nameField().safeParse(name).error?.issues[0]?.message, JSON.stringify(name)).toBe('must not be blank')
    }
  })

  test.each(['\u202e', '\u202a', '\u2066', '\u2069', '\u200e', '\u200f', '\u061c'])(
    'holds nothing that changes the direction of text: %j',
    (character) => {
      const { error } = nameField().safeParse(`prod${character}dorp`)
      expect(error?.issues[0]?.message).toContain('direction of text')
    },
  )

  test.each(['\u0000', '\n', '\u001b', '\u007f', '\u0085'])('holds no control character: %j', (character) => {
    expect(nameField().safeParse(`a${character}b`).success).toBe(false)
  })

  test.each(['a', 'Größe', 'مفتاح', 'מפתח', 'कुंजी', '👩‍👩‍👧', 'می‌خواهم', 'soft\u00adhyphen', 'ㅤx', '🏳️‍🌈'])(
    'of letters and signs of any script is taken: %s',
    (name) => {
      expect(nameField().safeParse(name).success).toBe(true)
    },
  )

  test('and a reason that cannot be seen is blank', async () => {
    const { body } = operations['billing/update']
    const reasons = ['\u3164', '\u200b', ' ', 'sold by contract'].map((reason) =>
      body?.safeParse({ plan: 'team', reason }),
    )
    expect(reasons.map((result) => result?.success)).toEqual([false, false, false, true])
  })

  test('that is blank is refused by every operation that takes one', async () => {
    const named = operationList.filter(
      ([, { body }]) => body && 'shape' in body && 'name' in (body.shape as object),
    ) as [OperationName, (typeof operationList)[number][1]][]
    expect(named.length).toBeGreaterThan(8)
    for (const [name, operation] of named) {
      for (const value of ['\u3164', 'a\u202eb']) {
        const error = operation.body?.safeParse({ name: value }).error
        expect(
          error?.issues.some(({ path }) => path[0] === 'name'),
          name,
        ).toBe(true)
      }
    }
  })
})

describe('a number in a query', () => {
  const limited = operationList.filter(([, { query }]) => 'limit' in query.shape).map(([name]) => name)

  test.each(limited)('is decimal digits and nothing else: %s', async (name) => {
    const { params = {} } = await happyRequest(name, org)
    const ask = (limit: string) => invoke(name, { token: org.adminKey, query: { limit }, params })
    for (const limit of [
      '0x10',
      '1e1',
      '1.0',
      '+5',
      ' 5',
      '5 ',
      '05',
      '',
      '0b11',
      '1_0',
      '５',
      'Infinity',
      '-1',
      '0',
    ]) {
      const refused = await ask(limit)
      expectProblem(refused, 'invalid_input')
      expect(faultPaths(refused), limit).toEqual(['limit'])
    }
    expect((await ask('5')).status).toBe(200)
  })
})
