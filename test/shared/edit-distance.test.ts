/** What a misspelled word may have meant is judged by its distance. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { editDistance } from '../../shared/edit-distance.ts'

test.each([
  ['keys:read', 'keys:read', 0],
  ['key:read', 'keys:read', 1],
  ['keys:raed', 'keys:read', 1],
  ['satge', 'stage', 1],
  ['', 'abc', 3],
  ['kitten', 'sitting', 3],
])('%j and %j are apart by %i', (from, to, expected) => {
  expect(editDistance(from, to)).toBe(expected)
})

test('it is the same both ways, at most the longer length, and nothing for equals alone', () => {
  const word = fc.string({ maxLength: 12 })
  fc.assert(
    fc.property(word, word, (a, b) => {
      const edits = editDistance(a, b)
      expect(editDistance(b, a)).toBe(edits)
      expect(edits).toBeLessThanOrEqual(Math.max(a.length, b.length))
      expect(edits).toBeGreaterThanOrEqual(Math.abs(a.length - b.length))
      expect(edits === 0).toBe(a === b)
    }),
  )
})
