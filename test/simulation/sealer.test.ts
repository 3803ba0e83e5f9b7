/** Stories of sealers. An error names its seed (`tellSeeds`). */
import { expect, test } from 'vitest'
import { tellSeeds, timeoutMs } from './many.ts'

test(
  'each event ends in exactly one block of one chain, however sealers meet, repeat and die',
  async () => {
    process.env.AUDIT_KEY_ID = 'a key of the story'
    const told = await tellSeeds('SEALER', async (seed, listener) => {
      const { simulateSealer } = await import('./sealer.ts')
      return simulateSealer(seed, listener)
    })
    expect(told.reduce((sum, { events }) => sum + events, 0)).toBeGreaterThan(0)
  },
  timeoutMs,
)
