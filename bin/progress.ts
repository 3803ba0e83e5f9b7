/** Progress of what takes long: a step says its name, then how long it took; a silent one shows that it goes on. */

/** After this a step that prints nothing shows that it is still running. */
const silenceMs = 2000

/** Runs a step under a heading. `isSilent`: it prints nothing itself. */
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
