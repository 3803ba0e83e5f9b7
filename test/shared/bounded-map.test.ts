/** What a process remembers must not grow with the number of callers. */
import { expect, test } from 'vitest'
import { setBounded } from '../../shared/bounded-map.ts'

test('a map never exceeds its limit: the oldest entry makes room', () => {
  const known = new Map<string, number>()
  for (const [index, key] of ['a', 'b', 'c', 'd'].entries()) setBounded(known, key, index, 3)
  expect([...known]).toEqual([
    ['b', 1],
    ['c', 2],
    ['d', 3],
  ])
})

test('setting an existing entry again removes no other entry', () => {
  const known = new Map([
    ['a', 1],
    ['b', 2],
  ])
  setBounded(known, 'b', 3, 2)
  expect([...known]).toEqual([
    ['a', 1],
    ['b', 3],
  ])
})
