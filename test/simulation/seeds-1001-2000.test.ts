/** The second half of the stories, and that a story can come out wrong. */
import { expect, test } from 'vitest'
import type { Telling } from './billing.ts'
import { expectStories, longestMs, prepare, replayCommand, simulateMany } from './many.ts'

test(
  'whatever happens on the way, the projection ends as Stripe’s state: seeds 1001 to 2000',
  () => expectStories(1001, 1000),
  longestMs,
)

test('a seed tells the same story every time', async () => {
  await prepare()
  const told: string[][] = [[], []]
  for (const lines of told) await simulateMany(1324, 1, { listener: (line) => lines.push(line) })
  const [first = [], second = []] = told.map((lines) => lines.map(withoutIds))
  expect(first.length).toBeGreaterThan(100)
  expect(second).toEqual(first)
})

/** ULIDs begin with the wall clock's time. */
const withoutIds = (line: string): string => line.replaceAll(/aud_\w+/g, 'aud_…')

test(
  'a service that takes what it read a minute ago for the present is found out, and the way to see it again is told',
  async () => {
    await prepare()
    const distort: Telling['distort'] = (read, world) => {
      const known = new Map<string, { atMs: number; answer: ReturnType<typeof read> }>()
      return (customerId) => {
        const last = known.get(customerId)
        if (last && last.atMs > world.nowMs - 60_000) return last.answer
        const answer = read(customerId)
        known.set(customerId, { atMs: world.nowMs, answer })
        return answer
      }
    }
    const { failure } = await simulateMany(1, 200, { distort })
    expect(String(failure?.error)).toMatch(/before what it told of was projected|is not what Stripe says/)
    expect(replayCommand(failure?.seed ?? 0)).toMatch(/^node test\/simulation\/run\.ts --seed \d+$/)
  },
  longestMs,
)
