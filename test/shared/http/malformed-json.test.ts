/** A body that is not JSON is refused with the place where it stops being any, and with none of what it holds. */
import { describe, expect, test } from 'vitest'
import { operations } from '../../../functions/operations.ts'
import { openExchange } from '../../../shared/http/exchange.ts'
import { validate } from '../../../shared/http/validate.ts'

function refusalOf(body: string): unknown {
  const event = { body, headers: { 'content-type': 'application/json' }, requestContext: { http: { method: 'POST' } } }
  try {
    validate(operations['api-keys/create'], openExchange(event, {}))
  } catch (error) {
    return error
  }
  return undefined
}

describe('a body that is not JSON', () => {
  test.each([
    ['{"a": x}', 6, 1, 7],
    ['[1,]', 3, 1, 4],
    ['{"a":1,}', 7, 1, 8],
    ['{"a" 1}', 5, 1, 6],
    ['{"a":1} x', 8, 1, 9],
    ['{"a":"\n"}', 6, 1, 7],
    ['{"a":"\\x"}', 7, 1, 8],
    ['-x', 1, 1, 2],
    ['012', 1, 1, 2],
    ['{\n  "a": 1\n  "b": 2\n}', 13, 3, 3],
    ['x " in JSON at position 3 (', 0, 1, 1],
  ])('%j is refused with its place', (body, position, line, column) => {
    expect(refusalOf(body)).toMatchObject({
      message: `the body is not valid JSON: at position ${position} (line ${line}, column ${column})`,
    })
  })

  test.each(['{', '[1,2', '{"a":"s', 'nul', '-', ' ', '"x in JSON at position 9 ('])('%j ends too early', (body) => {
    expect(refusalOf(body)).toMatchObject({ message: 'the body is not valid JSON: it ends too early' })
  })

  test('is reported without quoting the body', () => {
    for (const body of ['{"api_key": sk-secret}', 'sk-secret', '{"a": "sk-secret" "b"}', '{"a": "sk-secret']) {
      expect(JSON.stringify(refusalOf(body))).not.toContain('secret')
    }
  })

  test('is refused without its place where it is long', () => {
    expect(refusalOf(`[${'1,'.repeat(10_000)}x]`)).toMatchObject({ message: 'the body is not valid JSON' })
  })
})
