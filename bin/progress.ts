/** Progress of long steps: each prints its name and duration. A silent step prints that it is still running. */

/** After this time a silent step prints that it is still running. */
const silenceMs = 2000

/** Runs a step under a heading. `isSilent`: the step prints nothing. */
export async function step<T>(name: string, run: () => Promise<T>, { isSilent = false } = {}): Promise<T> {
  console.log(`\n== ${name}`)
  const startedMs = performance.now()
  const seconds = () => ((performance.now() - startedMs) / 1000).toFixed(0)
  const ticking = isSilent ? setInterval(() => console.log(`   … ${seconds()} s`), silenceMs) : undefined
  try {
    const result = await run()
    console.log(`== ${name}: ${seconds()} s`)
    return result
  } finally {
    clearInterval(ticking)
  }
}
