/** Many stories, one after the other. */
import type { Telling } from './billing.ts'

/** The environment of a function, as far as the stories need one, and no logs: they would be millions. */
export async function prepare(isReplay = false): Promise<void> {
  Object.assign(process.env, {
    AWS_REGION: 'us-east-1',
    TABLE_NAME: 'a model',
    STAGE: 'simulation',
    BILLING_OVERRIDE: 'on',
    STRIPE_SECRET_KEY: 'sk_test_simulation',
  })
  const { log } = await import('../../shared/runtime/log.ts')
  log.setLogLevel('SILENT')
  // Most errors of a story are expected, and the stack trace is their main cost. A replay shows it.
  Error.stackTraceLimit = isReplay ? 10 : 0
}

export const replayCommand = (seed: number): string => `node test/simulation/run.ts --seed ${seed}`

export interface Result {
  stories: number
  steps: number
  events: number
  failure?: { seed: number; error: unknown }
}

/** Runs the stories of `count` seeds from `first` on, up to the first failure. */
export async function simulateMany(first: number, count: number, telling: Telling = {}): Promise<Result> {
  const { simulate } = await import('./billing.ts')
  const result: Result = { stories: 0, steps: 0, events: 0 }
  for (let seed = first; seed < first + count; seed++) {
    try {
      const { steps, events } = await simulate(seed, telling)
      result.stories += 1
      result.steps += steps
      result.events += events
    } catch (error) {
      return { ...result, failure: { seed, error } }
    }
  }
  return result
}

/** For a machine that has more to do. */
export const timeoutMs = 240_000

/** Fails with the command that repeats the first failed story. */
export async function expectStories(first: number, count: number): Promise<void> {
  await prepare()
  const { stories, failure } = await simulateMany(first, count)
  if (failure) throw new Error(`seed ${failure.seed}; again: ${replayCommand(failure.seed)}`, { cause: failure.error })
  if (stories !== count) throw new Error(`only ${stories} of ${count} stories were told`)
}

/**
 * Tells the stories of 2,000 seeds, up to the first failure. `<NAME>_SEED=1234` repeats the story of one seed, step by step;
 * `<NAME>_SEEDS=50000` tells more of them.
 *
 * @returns what each story returned
 */
export async function tellSeeds<T>(
  name: 'SEALER' | 'DELIVERY' | 'USAGE',
  tell: (seed: number, listener?: (line: string) => void) => Promise<T>,
): Promise<T[]> {
  const one = Number(process.env[`${name}_SEED`] ?? 0)
  await prepare(one > 0)
  const [first, last] = one ? [one, one] : [1, Number(process.env[`${name}_SEEDS`] ?? 2000)]
  const listener = one ? (line: string) => void process.stdout.write(`${line}\n`) : undefined
  const told: T[] = []
  for (let seed = first; seed <= last; seed++) {
    const story = tell(seed, listener).catch((cause: unknown) => {
      throw new Error(`${name}_SEED=${seed} repeats it: ${cause instanceof Error ? cause.message : cause}`, { cause })
    })
    told.push(await story)
  }
  return told
}
