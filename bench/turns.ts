/** Servers under the same load, in rounds of alternating order: a slow minute of the machine then affects all. */
import { cpuMsOf, findEngine } from './cpu.ts'
import { fire, joined, type LoadEnd, type LoadResult, p50, p99, perSecond, type Shot } from './load.ts'
import { median, ms, ratio, type TableRow } from './report.ts'
import type { ServerProcess } from './server-process.ts'

/** A server with the request that one of the load's workers sends to it. */
export interface Contender extends Pick<ServerProcess, 'url' | 'pid'> {
  shot(worker: number): Shot
}

export interface Round extends LoadResult {
  serverMs: number
  engineMs: number
}

interface Load {
  connections: number
  rounds: number
  warmUpRequests: number
  /** The end of a round. */
  end: LoadEnd
}

export type Rounds<Name extends string> = ReadonlyMap<Name, readonly Round[]>

export async function takeTurns<Name extends string>(
  contenders: ReadonlyMap<Name, Contender>,
  { connections, rounds, warmUpRequests, end }: Load,
): Promise<Rounds<Name>> {
  const engine = findEngine()
  const load = async ({ url, pid, shot }: Contender, until: LoadEnd): Promise<Round> => {
    const before = [cpuMsOf(pid), cpuMsOf(engine)] as const
    const result = await fire(url, until, connections, shot)
    return { ...result, serverMs: cpuMsOf(pid) - before[0], engineMs: cpuMsOf(engine) - before[1] }
  }
  const taken = new Map<Name, Round[]>([...contenders.keys()].map((name) => [name, []]))
  for (const contender of contenders.values()) await load(contender, { count: warmUpRequests })
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? [...contenders] : [...contenders].reverse()
    for (const [name, contender] of order) taken.get(name)?.push(await load(contender, end))
  }
  return taken
}

/** All rounds of a server as one load. */
export const allRounds = <Name extends string>(rounds: Rounds<Name>, name: Name): LoadResult =>
  joined(rounds.get(name) ?? [])

/** Median requests/s of a server. */
export const rateOf = <Name extends string>(rounds: Rounds<Name>, name: Name): number =>
  median((rounds.get(name) ?? []).map(perSecond))

/** The figures of one server. `base` is the server whose rate is compared with it. */
export function figuresOf<Name extends string>(
  rounds: Rounds<Name>,
  name: Name,
  { base, hasEngine = true }: { base: NoInfer<Name>; hasEngine?: boolean },
): TableRow {
  const own = rounds.get(name) ?? []
  const all = joined(own)
  const per = (field: 'serverMs' | 'engineMs') =>
    own.reduce((sum, round) => sum + round[field], 0) / all.latenciesMs.length
  return {
    'req/s': rateOf(rounds, name).toFixed(0),
    [`${base} to it`]: ratio(rateOf(rounds, base), rateOf(rounds, name)),
    'p50 ms': ms(p50(all)),
    'p99 ms': ms(p99(all)),
    'CPU ms': ms(per('serverMs')),
    'engine CPU ms': hasEngine ? ms(per('engineMs')) : '–',
  }
}
