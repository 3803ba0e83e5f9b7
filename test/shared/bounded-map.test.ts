/** What a process remembers must not grow with the number of callers. */
import { expect, test } from 'vitest'
import { setBounded } from '../../shared/bounded-map.ts'

test('no more is remembered than may be, and what is there longest makes room', () => {
  const known = new Map<string, number>()
  for (const [index, key] of ['a', 'b', 'c', 'd'].entries()) setBounded(known, key, index, 3)
  expect([...known]).toEqual([
    ['b', 1],
    ['c', 2],
    ['d', 3],
  ])
})

test('an entry that is set again takes nobody’s room', () => {
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
