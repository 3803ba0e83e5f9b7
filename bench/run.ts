/**
 * `npm run bench`: what the service costs, in one run, because only what one machine measured in one run can be
 * compared. `npm run bench -- cold units` runs those parts alone.
 */
import { availableParallelism } from 'node:os'
import { measureAuthentication } from './authentication.ts'
import { measureColdImports } from './cold.ts'
import { measureFirstRequests } from './first-request.ts'
import { type Fixture, startFixture } from './fixture.ts'
import { measureHealth } from './health.ts'
import { measureLists } from './lists.ts'
import { measureRequests } from './requests.ts'
import { measureUnits } from './units.ts'

const partsWithoutEngine: Record<string, () => Promise<void>> = { cold: measureColdImports }
const partsWithEngine: Record<string, (fixture: Fixture) => Promise<void>> = {
  first: measureFirstRequests,
  requests: measureRequests,
  units: measureUnits,
  lists: measureLists,
  health: measureHealth,
  authentication: measureAuthentication,
}

async function main(): Promise<void> {
  const names = [...Object.keys(partsWithoutEngine), ...Object.keys(partsWithEngine)]
  const wanted = process.argv.length > 2 ? process.argv.slice(2) : names
  const unknown = wanted.filter((name) => !names.includes(name))
  if (unknown.length > 0) {
    console.error(`There is no part ${unknown.join(', ')}. Parts: ${names.join(', ')}`)
    process.exitCode = 2
    return
  }
  const started = performance.now()
  console.log(`${availableParallelism()} cores, Node ${process.version}, ${process.platform}-${process.arch}`)
  for (const name of wanted) await partsWithoutEngine[name]?.()
  if (wanted.some((name) => name in partsWithEngine)) await runWithEngine(wanted)
  console.log(`\n${((performance.now() - started) / 1000).toFixed(0)} s in all`)
}

async function runWithEngine(wanted: readonly string[]): Promise<void> {
  const fixture = await startFixture()
  try {
    for (const name of wanted) await partsWithEngine[name]?.(fixture)
  } finally {
    await fixture.stop()
  }
}

await main()
