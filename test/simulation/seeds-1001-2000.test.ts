/** The second half of the stories, and faults that they find. */
import { expect, test } from 'vitest'
import { ProblemError } from '../../shared/problem.ts'
import type { Telling } from './billing.ts'
import { expectStories, prepare, replayCommand, simulateMany, timeoutMs } from './many.ts'

test(
  'despite faults, the projection ends equal to Stripe’s state: seeds 1001 to 2000',
  () => expectStories(1001, 1000),
  timeoutMs,
)

test('a seed produces the same story every time', async () => {
  await prepare()
  const told: string[][] = [[], []]
  for (const lines of told) await simulateMany(1324, 1, { listener: (line) => lines.push(line) })
  const [first = [], second = []] = told.map((lines) => lines.map(withoutIds))
  expect(first.length).toBeGreaterThan(100)
  expect(second).toEqual(first)
})

/** ULIDs begin with the wall clock's time. */
const withoutIds = (line: string): string => line.replaceAll(/aud_\w+/g, 'aud_…')

const faults: Record<string, NonNullable<Telling['distort']>> = {
  'uses an answer of Stripe again for a minute': (read, world) => {
    const known = new Map<string, { atMs: number; answer: ReturnType<typeof read> }>()
    return (customerId) => {
      const last = known.get(customerId)
      if (last && last.atMs > world.nowMs - 60_000) return last.answer
      const answer = read(customerId)
      known.set(customerId, { atMs: world.nowMs, answer })
      return answer
    }
  },
  'takes an unknown customer for one without subscriptions': (read) => (customerId) =>
    read(customerId).catch((error: unknown) => {
      if (error instanceof ProblemError && /does not know the customer/.test(error.message)) return []
      throw error
    }),
  'lets the newest subscription decide': (read) => async (customerId) =>
    (await read(customerId)).toSorted((a, b) => (a.created_at < b.created_at ? 1 : -1)).slice(0, 1),
  'forgets the plan of a price that lost its lookup key': (read) => async (customerId) =>
    (await read(customerId)).map((state) => (state.price?.lookup_key ? state : { ...state, plan: null })),
}

test.each(Object.entries(faults))(
  'finds a service that %s, and names the command that replays the seed',
  async (_fault, distort) => {
    await prepare()
    const { failure } = await simulateMany(1, 500, { distort })
    expect(String(failure?.error)).toMatch(
      /before what it told of was projected|is not what Stripe says|not the highest|without an answer of our Stripe/,
    )
    expect(replayCommand(failure?.seed ?? 0)).toMatch(/^node test\/simulation\/run\.ts --seed \d+$/)
  },
  timeoutMs,
)
