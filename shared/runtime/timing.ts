/** Time and chance, for what waits and tries again: a simulation puts its own in their place. */
export interface Timing {
  now(): Date
  sleep(ms: number): Promise<void>
  /** From 0 up to, but not including, 1. */
  random(): number
}

export const realTiming: Timing = {
  now: () => new Date(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  random: () => Math.random(),
}
