/**
 * A world with simulated time and randomness. It ends every wait of every process, in an order that the seed decides. The same
 * seed produces the same story, step by step.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { realTiming, type Timing } from '../../shared/runtime/timing.ts'

/** A run of a function, or a caller from outside. */
export interface Process {
  name: string
  id: number
  /** A dead process never continues, even when its wait ends. */
  alive: boolean
  /** Whether it may crash at any wait. Callers from outside never crash. */
  mortal: boolean
  /** The latest time at which it is killed. */
  endsAtMs: number
  /** What it last read of Stripe's state, by customer. */
  reads: Map<string, Reading>
}

/** The plan that a customer's subscriptions gave at the moment at which Stripe answered. */
export interface Reading {
  atMs: number
  plan: string | null
}

export type Outcome<T> = { ended: 'well'; value: T } | { ended: 'badly'; error: unknown } | { ended: 'dead' }

/** How rough the world is. Each is a probability per wait or per request. */
export interface Roughness {
  death: number
  /** A process that stalls for longer than the duration of a lease. */
  stall: number
  stripeFault: number
  tableFault: number
}

const calm: Roughness = { death: 0, stall: 0, stripeFault: 0, tableFault: 0 }

const beginningMs = Date.UTC(2026, 0, 5)

/** One for all worlds: Node copies an entry for every storage that was ever used into each new context. */
const running = new AsyncLocalStorage<Process>()

interface Task {
  atMs: number
  order: number
  run: () => void
}

export class World {
  readonly seed: number
  nowMs = beginningMs
  roughness: Roughness
  steps = 0
  readonly #tasks = new Heap()
  #order = 0
  #processes = 0
  #state: number

  constructor(seed: number) {
    this.seed = seed
    this.#state = seed
    this.roughness = calm
  }

  /** Mulberry32: small, fast, and good enough to shuffle with. */
  random = (): number => {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  chance = (probability: number): boolean => probability > 0 && this.random() < probability
  between = (least: number, most: number): number => least + Math.floor(this.random() * (most - least + 1))
  pick = <T>(from: readonly T[]): T => from[this.between(0, from.length - 1)] as T

  readonly timing: Timing = {
    now: () => new Date(this.nowMs),
    sleep: (ms) => this.pause(ms),
    random: this.random,
  }

  get process(): Process | undefined {
    return running.getStore()
  }

  /** Reports a step of the story to the listener. */
  note(step: string, process = this.process): void {
    if (!this.listener) return
    const seconds = ((this.nowMs - beginningMs) / 1000).toFixed(3).padStart(12)
    this.listener(`${seconds}  ${process ? `${process.name} ${process.id}` : 'world'}: ${step}`)
  }

  listener: ((line: string) => void) | undefined

  calmDown(): void {
    this.roughness = calm
  }

  schedule(delayMs: number, run: () => void): void {
    this.#tasks.push({ atMs: this.nowMs + Math.max(0, delayMs), order: this.#order++, run })
  }

  /** Waits in the world's time. A process that dies meanwhile never returns from it. */
  pause(ms: number): Promise<void> {
    const process = this.process
    if (process?.alive && process.mortal && this.chance(this.roughness.death)) {
      this.note('dies')
      process.alive = false
    }
    const stallMs = process?.mortal && this.chance(this.roughness.stall) ? this.between(5000, 55_000) : 0
    if (stallMs > 0) this.note(`stands still for ${stallMs} ms`)
    return new Promise((resolve) => {
      this.schedule(ms + stallMs, () => {
        if (!process || (process.alive && this.nowMs < process.endsAtMs)) resolve()
      })
    })
  }

  /** How long a message is on its way. */
  latencyMs = (): number => (this.chance(0.03) ? this.between(100, 1500) : this.between(1, 25))

  /** Runs a function as Lambda would: it ends, fails, or is dead, which is known at the end of its time. */
  spawn<T>(name: string, lifeMs: number, run: () => Promise<T>): Promise<Outcome<T>> {
    const endsAtMs = this.nowMs + lifeMs
    const process: Process = { name, id: this.#processes++, alive: true, mortal: true, endsAtMs, reads: new Map() }
    this.note('begins', process)
    return new Promise((resolve) => {
      this.schedule(lifeMs, () => {
        process.alive = false
        resolve({ ended: 'dead' })
      })
      running.run(process, run).then(
        (value) => {
          this.note('ends well', process)
          resolve({ ended: 'well', value })
        },
        (error: unknown) => {
          this.note(`ends badly: ${error}`, process)
          resolve({ ended: 'badly', error })
        },
      )
    })
  }

  /** Runs work outside of any function. */
  act(name: string, run: () => Promise<void>): void {
    const process: Process = {
      name,
      id: this.#processes++,
      alive: true,
      mortal: false,
      endsAtMs: Infinity,
      reads: new Map(),
    }
    running.run(process, run).catch((error: unknown) => {
      this.failure ??= error
    })
  }

  failure: unknown

  /** Advances time until no process waits. */
  async untilIdle(): Promise<void> {
    await settled(0)
    for (let task = this.#tasks.pop(); task; task = this.#tasks.pop()) {
      if (this.failure !== undefined) throw this.failure
      this.steps += 1
      if (this.steps > maxSteps) throw new Error('the story does not end')
      this.nowMs = Math.max(this.nowMs, task.atMs)
      task.run()
      await settled(this.steps)
    }
    if (this.failure !== undefined) throw this.failure
  }
}

/** Puts the world's clock and chance in place of the machine's. Returns what undoes it. */
export function takeClock(world: World): () => void {
  const before = { Date: globalThis.Date, random: Math.random, timing: { ...realTiming } }
  class WorldDate extends before.Date {
    constructor(...given: [] | [number | string]) {
      super(given.length === 0 ? world.nowMs : given[0])
    }
    static override now(): number {
      return world.nowMs
    }
  }
  globalThis.Date = WorldDate as DateConstructor
  Math.random = world.random
  Object.assign(realTiming, world.timing)
  return () => {
    globalThis.Date = before.Date
    Math.random = before.random
    Object.assign(realTiming, before.timing)
  }
}

const maxSteps = 50_000

/**
 * Waits until every process has reached its next wait. A tick does that; a turn of the event loop costs more, and lets Node
 * report a rejection that no process handles yet: every fourth step has one.
 */
const settled = (step: number): Promise<void> =>
  new Promise((resolve) => (step % 4 === 0 ? setImmediate(resolve) : process.nextTick(resolve)))

/** Tasks by their time, those of the same time in the order in which they came. */
class Heap {
  readonly #tasks: Task[] = []

  push(task: Task): void {
    const tasks = this.#tasks
    let at = tasks.length
    tasks.push(task)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(task, tasks[parent] as Task)) break
      tasks[at] = tasks[parent] as Task
      at = parent
    }
    tasks[at] = task
  }

  pop(): Task | undefined {
    const tasks = this.#tasks
    const first = tasks[0]
    const last = tasks.pop()
    if (first === undefined || last === undefined || tasks.length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= tasks.length) break
      if (child + 1 < tasks.length && before(tasks[child + 1] as Task, tasks[child] as Task)) child += 1
      if (!before(tasks[child] as Task, last)) break
      tasks[at] = tasks[child] as Task
      at = child
    }
    tasks[at] = last
    return first
  }
}

const before = (a: Task, b: Task): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
