/** Error texts of input faults, for the schema of every request. */

import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { examples } from '../../../docs/openapi.ts'
import { operationList, operations } from '../../../functions/operations.ts'
import { scopeNames } from '../../../shared/auth/scopes.ts'
import { faultsOf, parseOptions } from '../../../shared/faults.ts'
import { nameField } from '../../../shared/fields.ts'
import { configInput } from '../../../shared/integrations/record.ts'
import { fullConfigs, types } from '../../support/integrations.ts'

const hostile: readonly unknown[] = [
  ...['', ' ', '\n', '\u0000', '…', 'nonsense', 'http://', 'https://u:p@10.0.0.1:99999/#', '2030-99-99T00:00:00Z'],
  ...['x', '\n', '…', '😀'].map((text) => text.repeat(5000)),
  ...[null, true, 0, -1, 1.5, 1e99, -1e99],
  ...[[], [''], [null], [1], [[]], ['', ''], Array(600).fill('')],
  ...[{}, { a: 1 }, { '': '' }, { '': null, a: [] }],
]

type Path = readonly (string | number)[]

/** Every place of a value, the value itself among them. */
function* placesIn(value: unknown, path: Path = []): Generator<Path> {
  yield path
  if (typeof value !== 'object' || value === null) return
  for (const [name, inner] of Object.entries(value)) {
    yield* placesIn(inner, [...path, Array.isArray(value) ? Number(name) : name])
  }
}

/** A copy of a value with another in one of its places. */
function withAt(value: unknown, [first, ...rest]: Path, other: unknown): unknown {
  if (first === undefined) return other
  if (Array.isArray(value)) return value.map((item, index) => (index === first ? withAt(item, rest, other) : item))
  const object = value as Record<string, unknown>
  return { ...object, [first]: withAt(object[first], rest, other) }
}

const faults = (schema: z.ZodType, value: unknown) => {
  const { error } = schema.safeParse(value, parseOptions)
  return error ? faultsOf(error) : []
}

interface Sample {
  what: string
  schema: z.ZodType
  value: Record<string, unknown>
}

/** The fields of an object, those that the example leaves out too. */
const withEveryField = (schema: z.ZodType, value: object = {}): Record<string, unknown> => ({
  ...(schema instanceof z.ZodObject ? Object.fromEntries(Object.keys(schema.shape).map((name) => [name, {}])) : {}),
  ...value,
})

const samples: Sample[] = [
  ...operationList.flatMap(([name, { query, body }]) => [
    { what: `the query of ${name}`, schema: query, value: withEveryField(query) },
    ...(body
      ? [{ what: `the body of ${name}`, schema: body, value: withEveryField(body, examples[name]?.body as object) }]
      : []),
  ]),
  ...types.map((type) => ({ what: `the config of ${type}`, schema: configInput(type), value: fullConfigs[type] })),
]

const validatorWords =
  /^(?:Too (?:big|small)|Invalid|Unrecognized)|expected \w+|received \w+|[<>]=|must match pattern|undefined|NaN/

describe.each(samples)('$what', ({ schema, value }) => {
  test('reports one fault once, for any wrong value in any place', () => {
    for (const place of placesIn(value)) {
      for (const other of hostile) {
        const paths = faults(schema, withAt(value, place, other)).map(({ path }) => path)
        expect(paths, `${place.join('.')}: ${JSON.stringify(other)?.slice(0, 100)}`).toEqual([...new Set(paths)])
      }
    }
  })

  test('has every fault in the words of this service, none in those of the validator', () => {
    for (const place of placesIn(value)) {
      for (const other of hostile) {
        for (const { path, message } of faults(schema, withAt(value, place, other))) {
          expect(message, `${path}: ${JSON.stringify(other)?.slice(0, 100)}`).not.toMatch(validatorWords)
        }
      }
    }
  })
})

describe('the reported fault', () => {
  const name = nameField()
  test.each([
    ['an empty name', name, '', 'too_small', 'must not be blank'],
    ['a blank name', name, ' ', 'invalid_format', 'must not be blank'],
    ['a name that is no text', name, [], 'invalid_type', 'must be text, not a list'],
    ['a name too long by far, of line breaks', name, '\n'.repeat(101), 'too_big', 'must have at most 100 characters'],
    ['a number beyond all', z.int().max(100), 1e99, 'too_big', 'must be at most 100'],
    ['a number below all', z.int().min(1), -1e99, 'too_small', 'must be at least 1'],
    ['a text where a list belongs', z.array(z.string()).min(1), '', 'invalid_type', 'must be a list, not text'],
  ])('of %s is the one that names the fix', (_what, schema: z.ZodType, value, code, message) => {
    const [fault, ...others] = faults(schema, value)
    expect(others).toEqual([])
    expect(fault?.code).toBe(code)
    expect(fault?.message).toMatch(message)
  })

  test('is separate for each field, and for each unknown field', () => {
    const body = z.strictObject({ name, count: z.int().max(5), tags: z.array(name) })
    const told = faults(body, { name: '', count: 9, tags: ['', 'x', ' '], more: 1, less: 2 })
    expect(told.map(({ path }) => path).sort()).toEqual(['count', 'less', 'more', 'name', 'tags.0', 'tags.2'])
  })
})

describe('a value that an enum does not have', () => {
  const told = (schema: z.ZodType, value: unknown) => faults(schema, value).map(({ message }) => message)
  const states = z.enum(['active', 'retiring', 'revoked'])
  const scopes = z.enum(scopeNames)
  const not = 'is not one of the allowed values (`active`, `retiring`, `revoked`)'

  test.each([
    ['actve', `\`actve\` ${not}; did you mean \`active\`?`],
    ['REVOKED', `\`REVOKED\` ${not}; did you mean \`revoked\`?`],
    ['elsewhere', `\`elsewhere\` ${not}`],
    [7, not],
    [null, not],
    ['', not],
    ['x'.repeat(65), not],
    ['sk-0123456789abcdef', not],
    ['a\nb', not],
    ['a`b', not],
    ['r\u00e9voked', not],
  ])('%j is reported with a suggestion, and quoted only if it is short and printable', (value, message) => {
    expect(told(states, value)).toEqual([message])
  })

  test('points to the reference if there are many fields', () => {
    const { length } = scopeNames
    expect(told(scopes, 'key:read')).toEqual([
      `\`key:read\` is not one of the allowed values (see /api/v1/docs for all ${length}); did you mean \`keys:read\`?`,
    ])
    expect(told(scopes, 'something else entirely')[0]).not.toContain('did you mean')
  })

  test('is limited to the first fifty, at constant cost, for a body full of faults', () => {
    const { error } = z.array(scopes).safeParse(Array(20_000).fill('key:read'), parseOptions)
    const start = performance.now()
    expect(error && faultsOf(error)).toHaveLength(50)
    expect(performance.now() - start).toBeLessThan(200)
  })

  test('has the same text for a field that decides between forms', () => {
    const { body } = operations['integrations/create']
    expect(faults(body ?? z.never(), { type: 'slak', name: 'x' })).toMatchObject([
      { path: 'type', message: expect.stringMatching(/^`slak` is not one .*; did you mean `slack`\?$/) },
    ])
    expect(told(body ?? z.never(), { name: 'x' })).toEqual([expect.stringMatching(/^is not one of/)])
  })
})
