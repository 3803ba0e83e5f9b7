/** Clock, pauses and random numbers, for code that waits and retries. A simulation replaces them. */
export interface Timing {
  now(): Date
  sleep(ms: number): Promise<void>
  /** In the range [0, 1). */
  random(): number
}

export const realTiming: Timing = {
  now: () => new Date(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  random: () => Math.random(),
}
