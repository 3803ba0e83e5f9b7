/**
 * One history of usage: requests that record, consume and set, with ids that repeat, at a month's end, beside changes of plan
 * and limits, over a table that fails and loses answers, by functions that die. Each write that counts is compared with a
 * naive model at the instant at which it lands; at the end every month must equal the model.
 */
import { ProblemError } from '../../shared/problem.ts'
import { table, wireTable } from '../../shared/table/client.ts'
import { attributes, monthKey, readMonth, usagePartition } from '../../shared/usage/month.ts'
import { addMonths, monthOf } from '../../shared/usage/period.ts'
import type { UsageRecord, UsageRecorded } from '../../shared/usage/record.ts'
import { readLimits, readUsage, toUsageView } from '../../shared/usage/standing.ts'
import { takeUsage } from '../../shared/usage/take.ts'
import type { Item } from './expressions.ts'
import { ModelTable } from './model-table.ts'
import { NaiveUsage, type Request } from './usage-model.ts'
import { type Process, World } from './world.ts'

const orgId = 'org_01jd3v7k3q9x5m2n8r4t6w0y1a'
const keyOf = ({ pk, sk }: { pk: string; sk: string }): string => `${pk} ${sk}`
const lifeMs = 28_000
const hour = 3_600_000
const monthEndMs = Date.UTC(2026, 1, 1)

const sums = ['model_downloads_monthly', 'training_rounds_monthly'] as const
const levels = ['max_devices', 'max_models'] as const
const watched = [...sums, ...levels]
type Watched = (typeof watched)[number]

interface Limit {
  limit: number | null
  mode: 'enforce' | 'alert_only'
}

type Own = Partial<Record<Watched, Limit>>

/** The ceilings of two plans. */
const ceilings: Record<Watched, Record<'free' | 'team', number>> = {
  model_downloads_monthly: { free: 2500, team: 50_000 },
  training_rounds_monthly: { free: 100, team: 10_000 },
  max_devices: { free: 25, team: 1000 },
  max_models: { free: 3, team: 20 },
}
type PlanCode = 'free' | 'team'

function effective(metric: Watched, own: Own, plan: PlanCode): Limit {
  const [set, ceiling] = [own[metric], ceilings[metric][plan]]
  return set && Number(set.limit) <= ceiling ? set : { limit: ceiling, mode: 'enforce' }
}

/** Every limit of a metric that a request can have seen. */
const limitsOf = ({ owns, plans }: Flight, metric: Watched): Limit[] =>
  owns.flatMap((own) => plans.map((plan) => effective(metric, own, plan)))

/** A request that is under way. */
interface Flight {
  request: Request
  /** What the write that counted it should answer. */
  counted: { accepted: number; used: (readonly [Watched, month: string, number])[] } | undefined
  /** The limits that the org had set, and its plans, since it began. A request reads the two one after the other. */
  owns: Own[]
  plans: PlanCode[]
  /** The use since it began, by metric and month. */
  used: Map<string, Set<number>>
}

export interface History {
  listener?: (line: string) => void
  /** Breaks the service, to see that the comparison finds it. */
  distort?: (request: Request) => Request
}

export async function simulateUsage(seed: number, { listener, distort = (same) => same }: History = {}) {
  const world = new World(seed)
  world.nowMs = monthEndMs - 30 * hour
  world.listener = listener
  const history = new UsageHistory(world, distort)
  await history.run()
  return { steps: world.steps, requests: history.requests }
}

class UsageHistory {
  readonly #world: World
  readonly #distort: (request: Request) => Request
  readonly #model: ModelTable
  readonly #naive = new NaiveUsage()
  readonly #flights = new Map<number, Flight>()
  readonly #tokens = new Set<unknown>()
  readonly #force: { own: Own; plan: PlanCode } = { own: {}, plan: 'free' }
  readonly #maxIds: number
  readonly #isRough: boolean
  requests = 0

  constructor(world: World, distort: (request: Request) => Request) {
    this.#world = world
    this.#distort = distort
    this.#model = new ModelTable(world, (before, after, writer) => this.#watch(before, after, writer))
    this.#model.install(table(), wireTable())
    this.#maxIds = world.pick([0, 1, 25])
    this.#isRough = world.chance(0.4)
    world.roughness = {
      death: this.#isRough ? 0.01 : 0,
      stall: this.#isRough ? 0.02 : 0,
      stripeFault: 0,
      tableFault: this.#isRough ? 0.03 : 0,
    }
  }

  async run(): Promise<void> {
    const { between, schedule, pick } = bound(this.#world)
    this.#setLimits()
    for (let burst = between(2, 4); burst > 0; burst--) {
      const startMs = pick([between(0, 60 * hour), 30 * hour - between(0, 4000), 30 * hour + between(0, 25 * hour)])
      for (let each = between(1, 6); each > 0; each--) {
        const request = this.#makeRequest(this.#world.nowMs + startMs)
        for (let again = pick([1, 1, 1, 2]); again > 0; again--)
          schedule(startMs + between(0, 3000), () => this.#send(request))
      }
      schedule(startMs + between(0, 3000), () => this.#setLimits())
    }
    await this.#world.untilIdle()
    this.#world.calmDown()
    await this.#compare()
  }

  #makeRequest(aroundMs: number): Omit<Request, 'nowMs'> {
    const { between, pick, chance } = bound(this.#world)
    const records = Array.from({ length: between(1, 5) }, (): UsageRecord => {
      const shared = {
        ...(chance(0.6) ? { id: `id ${between(1, 12)}` } : {}),
        ...(chance(0.4)
          ? { at: new Date(aroundMs + 3000 - between(-4, 23) * hour * pick([0.01, 1])).toISOString() }
          : {}),
      }
      if (shared.at !== undefined && Date.parse(shared.at) > aroundMs + 200_000) delete shared.at
      return chance(0.6)
        ? { ...shared, metric: pick(sums), add: between(1, 5) }
        : { ...shared, metric: pick(levels), set: between(0, 6) }
    })
    return { mode: pick(['record', 'consume', 'consume'] as const), records }
  }

  /** Changes the plan or the limits, as an override of the plan and operation 50 store them. */
  #setLimits(): void {
    const { between, pick, chance } = bound(this.#world)
    const pk = `ORG#${orgId}`
    if (chance(0.7)) {
      const own = watched.filter(() => chance(0.8)).map((metric) => [metric, this.#limit(between(2, 14))] as const)
      this.#force.own = Object.fromEntries(own)
      this.#model.rows.set(`${pk} USAGELIMITS`, { pk, sk: 'USAGELIMITS', value: this.#force.own, version: 1 })
    } else {
      this.#force.plan = pick(['free', 'team'] as const)
      const override = { plan: this.#force.plan, reason: 'test', expires_at: null, set_at: '', set_by: '' }
      this.#model.rows.set(`${pk} BILLING`, { pk, sk: 'BILLING', override })
    }
    for (const { owns, plans } of this.#flights.values()) {
      owns.push(this.#force.own)
      plans.push(this.#force.plan)
    }
    this.#world.note(`limits ${JSON.stringify(this.#force)}`)
  }

  #limit = (limit: number) => ({
    limit,
    mode: this.#world.pick(['enforce', 'enforce', 'alert_only'] as const),
    updated_at: '2026-01-01T00:00:00.000Z',
  })

  #send(made: Omit<Request, 'nowMs'>): void {
    const world = this.#world
    const request = { ...made, nowMs: world.nowMs }
    const now = new Date(world.nowMs)
    const context = {
      orgId,
      actor: { type: 'api_key', id: 'key_1' } as const,
      now,
      requestId: `request ${this.requests++}`,
    }
    const taking = { context, deadline: new Date(world.nowMs + 25_000), idempotency: undefined, timing: world.timing }
    const sent = this.#distort(request)
    let id = 0
    const outcome = world.spawn('request', lifeMs, async () => {
      id = world.process?.id ?? 0
      this.#flights.set(id, this.#flight(request))
      world.note(JSON.stringify(request))
      return takeUsage(
        { mode: sent.mode, records: [...sent.records] },
        { ...taking, maxIdsBesideCounters: this.#maxIds },
      )
    })
    outcome.then((end) => {
      const flight = this.#flights.get(id)
      // A write of a dead process can still land.
      if (end.ended !== 'dead') this.#flights.delete(id)
      try {
        if (!flight) throw new Error('the request never began')
        if (end.ended === 'well') this.#judge(flight, end.value)
        else if (end.ended === 'badly') judgeFailure(flight, end.error)
      } catch (error) {
        world.failure ??= error
      }
    })
  }

  #flight(request: Request): Flight {
    const flight: Flight = {
      request,
      counted: undefined,
      owns: [this.#force.own],
      plans: [this.#force.plan],
      used: new Map(),
    }
    this.#noteUsed(flight)
    return flight
  }

  #months = (): string[] => ['2026-01', '2026-02', '2026-03']

  #noteUsed({ used }: Flight): void {
    for (const metric of watched) {
      for (const month of this.#months()) {
        const key = `${metric} ${month}`
        const known = used.get(key) ?? new Set()
        used.set(key, known.add(this.#naive.used(metric, month)))
      }
    }
  }

  /** A write of a month's row with a new token counts the request of its process. */
  #watch(before: Item | undefined, after: Item, writer: Process | undefined): void {
    if (!String(after.sk).startsWith('MONTH#') || after.last === before?.last || this.#tokens.has(after.last)) return
    const flight = this.#flights.get(writer?.id ?? -1)
    // Only the row of the month that a level is taken from has no token of its own.
    if (!flight || after.last === undefined) return
    this.#tokens.add(after.last)
    if (flight.counted) throw new Error(`process ${writer?.id} counted its request twice`)
    const refusals = this.#refusals(flight)
    if (flight.request.mode === 'consume' && refusals.length > 0) throw new Error(`counted past ${refusals.join(', ')}`)
    const fresh = this.#naive.newOf(flight.request)
    const accepted = this.#naive.count(flight.request)
    flight.counted = { accepted, used: this.#usedBy({ ...flight.request, records: fresh }) }
    if (flight.counted.accepted === 0) throw new Error('counted a request without new records')
    for (const each of this.#flights.values()) this.#noteUsed(each)
  }

  /** The use of the metrics of records in their months. */
  #usedBy({ records, nowMs }: Request): (readonly [Watched, string, number])[] {
    return records.flatMap(({ metric, at, ...amount }) => {
      const month = monthOf(Math.min(at === undefined ? nowMs : Date.parse(at), nowMs))
      const used = this.#naive.used(metric, month)
      // A newer set than this one holds: if others lower it before this request reads it, it saw no threshold.
      if ('set' in amount && amount.set !== used) return []
      return [[metric as Watched, month, used] as const]
    })
  }

  /** The metrics whose every limit in force since the request began refuses it now. */
  #refusals(flight: Flight): string[] {
    const after = this.#naive.copy()
    after.count(flight.request)
    return watched.filter((metric) =>
      this.#months().some((month) => {
        const [was, is] = [this.#naive.used(metric, month), after.used(metric, month)]
        const isHeld = ({ limit, mode }: Limit) => mode === 'enforce' && limit !== null && is > limit && is > was
        return limitsOf(flight, metric).every(isHeld)
      }),
    )
  }

  #judge(flight: Flight, answer: UsageRecorded): void {
    const { request, counted } = flight
    const expected = counted?.accepted ?? 0
    if (answer.accepted !== expected) throw new Error(`answered ${answer.accepted} accepted, counted ${expected}`)
    if (answer.permitted && answer.accepted + answer.duplicates !== request.records.length)
      throw new Error('a record is neither accepted nor a duplicate')
    if (answer.permitted !== (answer.exceeded.length === 0)) throw new Error('permitted without fitting exceeded')
    if (!answer.permitted) judgeRefusal(flight, answer)
    else if (!counted && this.#naive.newOf(request).length > 0) throw new Error('passed over new records')
    if (counted && !this.#isRough) this.#requireMarksOf(flight)
  }

  /** A use that every limit since the request began takes for a threshold has its mark, which an event goes with. */
  #requireMarksOf(flight: Flight): void {
    for (const [metric, month, used] of flight.counted?.used ?? []) {
      const row = this.#model.rows.get(keyOf(monthKey(orgId, month)))
      const highest = Math.max(...limitsOf(flight, metric).map(({ limit }) => limit ?? Infinity))
      for (const percent of [80, 100]) {
        if (used === 0 || used < (highest * percent) / 100 || row?.[attributes.reached(metric, percent)]) continue
        throw new Error(`no event of ${metric} at ${percent} % of ${month}`)
      }
    }
  }

  /** The events so far by metric and threshold, and how often. */
  #events(): Map<string, number> {
    const events = new Map<string, number>()
    for (const row of this.#model.rows.values()) {
      if (row.action !== 'usage.threshold_reached') continue
      const { id } = row.resource as { id: string }
      const key = `${id} ${(row.changes as { after: number }[])[0]?.after}`
      events.set(key, (events.get(key) ?? 0) + 1)
    }
    return events
  }

  async #compare(): Promise<void> {
    const world = this.#world
    const limits = this.#soon(() => readLimits(orgId, new Date(world.nowMs)))
    const months = this.#months().map((month) => this.#soon(() => readMonth(orgId, month)))
    const usage = this.#soon(() => readUsage(orgId, new Date(world.nowMs)))
    await world.untilIdle()
    for (const month of await Promise.all(months)) {
      const view = toUsageView(month, await limits)
      for (const metric of watched) {
        const expected = { used: this.#naive.used(metric, month.month), by_day: this.#naive.byDay(metric, month.month) }
        const { used, by_day } = view.data[metric]
        requireEqual({ used, by_day }, expected, `${metric} of ${month.month}`)
      }
    }
    const current = monthOf(world.nowMs)
    for (const metric of watched) {
      requireEqual((await usage)[metric].used, this.#naive.used(metric, current), `${metric} of readUsage`)
      requireEqual(
        (await usage)[metric].limit,
        effective(metric, this.#force.own, this.#force.plan).limit,
        `limit of ${metric}`,
      )
    }
    // A threshold has one event per month, and a history has two months.
    for (const [name, count] of this.#events()) if (count > 2) throw new Error(`${count} events of ${name}`)
    this.#requireMarks()
    this.#requireExpiry(current)
  }

  /** As many events as the months' rows have marks. */
  #requireMarks(): void {
    const rows = [...this.#model.rows.values()].filter(({ pk }) => pk === usagePartition(orgId))
    const marks = rows.flatMap((row) => Object.keys(row)).filter((name) => name.includes('!'))
    const events = [...this.#events().values()].reduce((sum, count) => sum + count, 0)
    requireEqual(events, marks.length, 'events of thresholds')
  }

  /** The newest row of a month stays, for its levels; all others expire when no month that can be read needs them. */
  #requireExpiry(current: string): void {
    const rows = [...this.#model.rows.values()].filter(({ pk }) => pk === usagePartition(orgId))
    const sorted = rows.sort((a, b) => (String(a.sk) < String(b.sk) ? -1 : 1))
    for (const [index, { sk, expires_at_epoch }] of sorted.entries()) {
      if (index === sorted.length - 1) requireEqual(expires_at_epoch, undefined, `expiry of ${sk}`)
      else if (Number(expires_at_epoch) * 1000 < Date.parse(`${addMonths(current, 12)}-01`))
        throw new Error(`${sk} expires too early`)
    }
  }

  /** A read outside of any request. Its result is there when the world is idle. */
  #soon<T>(read: () => Promise<T>): Promise<T> {
    return new Promise((resolve) => {
      this.#world.act('reader', async () => resolve(await read()))
    })
  }
}

/** A refusal names a limit and a use that were in force while the request ran, and is right about them. */
function judgeRefusal(flight: Flight, { exceeded }: UsageRecorded): void {
  for (const { metric, limit, used: before, requested } of exceeded) {
    const wasLimit = limitsOf(flight, metric as Watched).some((each) => each.mode === 'enforce' && each.limit === limit)
    if (!wasLimit) throw new Error(`refused by a limit of ${limit} that ${metric} did not have`)
    const months = [...flight.used].filter(([name]) => name.startsWith(`${metric} `))
    if (!months.some(([, values]) => values.has(before))) throw new Error(`refused at a use of ${before} of ${metric}`)
    const total = metric.endsWith('_monthly') ? before + requested : requested
    if (total <= limit) throw new Error(`refused ${requested} of ${metric} at ${before}, which fits ${limit}`)
  }
}

/** After a fault of the table the request may have counted; after a lost race it has not. */
function judgeFailure({ counted }: Flight, error: unknown): void {
  if (error instanceof ProblemError && error.code === 'service_unavailable' && counted)
    throw new Error('answered 503 for a request that was counted')
  if (error instanceof ProblemError && error.code !== 'service_unavailable') throw error
  if (error instanceof Error && /^(InternalServerError|ProblemError)$/.test(error.name)) return
  throw error
}

function requireEqual(actual: unknown, expected: unknown, what: string): void {
  const [is, should] = [JSON.stringify(actual), JSON.stringify(expected)]
  if (is !== should) throw new Error(`${what} is ${is}, and should be ${should}`)
}

/** The methods of a world, to be called without it. */
const bound = (world: World) => ({
  between: world.between,
  chance: world.chance,
  pick: world.pick,
  schedule: world.schedule.bind(world),
})
