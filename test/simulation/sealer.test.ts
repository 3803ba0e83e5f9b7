/** SEALER_SEED=1234 repeats the story of one seed; SEALER_SEEDS=50000 tells more of them. */
import { expect, test } from 'vitest'
import { prepare, timeoutMs } from './many.ts'

test(
  'each event ends in exactly one block of one chain, however sealers meet, repeat and die',
  async () => {
    const one = Number(process.env.SEALER_SEED ?? 0)
    await prepare(one > 0)
    process.env.AUDIT_KEY_ID = 'a key of the story'
    const { simulateSealer } = await import('./sealer.ts')
    const [first, last] = one ? [one, one] : [1, Number(process.env.SEALER_SEEDS ?? 2000)]
    const listener = one ? (line: string) => void process.stdout.write(`${line}\n`) : undefined
    let sealed = 0
    for (let seed = first; seed <= last; seed++) {
      const { events } = await simulateSealer(seed, listener).catch((cause: unknown) => {
        throw new Error(`SEALER_SEED=${seed} repeats it: ${cause instanceof Error ? cause.message : cause}`, { cause })
      })
      sealed += events
    }
    expect(sealed).toBeGreaterThan(0)
  },
  timeoutMs,
)
