/**
 * Everything the local Stripe remembers. An object that was put is never changed afterwards, only replaced, so what an
 * event shows stays what it was. A request that is refused halfway leaves no trace.
 */
import { hash } from 'node:crypto'
import Stripe from 'stripe'
import { ApiError, resourceMissing } from './api-error.ts'
import type {
  CheckoutSession,
  Customer,
  Event,
  Invoice,
  InvoiceLine,
  LineItem,
  PaymentMethod,
  PortalConfiguration,
  PortalSession,
  Price,
  Product,
  Subscription,
} from './objects.ts'

export interface Collections {
  customer: Customer
  product: Product
  price: Price
  payment_method: PaymentMethod
  'checkout.session': CheckoutSession
  subscription: Subscription
  invoice: Invoice
  event: Event
  'billing_portal.session': PortalSession
  'billing_portal.configuration': PortalConfiguration
  /** What Stripe knows and its objects do not show, by the id of the object it belongs to. */
  deleted_customer: { id: string }
  declining_card: { id: string }
  unconfirmed_card: { id: string }
  session_details: { id: string; lineItems: LineItem[]; subscription: SessionSubscription }
  pending_lines: { id: string; lines: InvoiceLine[] }
  trial_warning: { id: string }
}

/** What a checkout session will put on its subscription. */
interface SessionSubscription {
  description: string | null
  metadata: Record<string, string>
  trialDays: number
  trialEnd: number | null
}

export type Kind = keyof Collections

const kinds: readonly Kind[] = [
  'customer',
  'product',
  'price',
  'payment_method',
  'checkout.session',
  'subscription',
  'invoice',
  'event',
  'billing_portal.session',
  'billing_portal.configuration',
  'deleted_customer',
  'declining_card',
  'unconfirmed_card',
  'session_details',
  'pending_lines',
  'trial_warning',
]

/** How Stripe's refusals name what is missing. */
const names: Partial<Record<Kind, string>> = {
  payment_method: 'PaymentMethod',
  'billing_portal.configuration': 'configuration',
}

export interface Settings {
  /** What becomes of a subscription whose last retry failed, as the account's billing settings have it. */
  afterRetries: 'cancel' | 'unpaid' | 'past_due'
}

interface StoreOptions {
  /** Milliseconds since the epoch; the wall clock by default. */
  now?: () => number
  /** Two stores with the same seed give the same ids to the same requests. */
  seed: string
  pagesUrl: string
}

/** A store as it was saved: see `save` and `load`. */
export interface SavedStore {
  seed: string
  counter: number
  offsetSeconds: number
  settings: Settings
  collections: Record<string, { id: string }[]>
}

type Tables = { [K in Kind]: Map<string, Collections[K]> }

const emptyTables = (): Tables => Object.fromEntries(kinds.map((kind) => [kind, new Map()])) as unknown as Tables

export class Store {
  settings: Settings = { afterRetries: 'cancel' }
  /** Called with each event once the request that made it has succeeded. */
  onEvent: (event: Event) => void = () => {}
  /** Called whenever something has changed. */
  onChange: () => void = () => {}
  /** The request that events of the moment are due to. */
  request: { id: string | null; idempotency_key: string | null } = { id: null, idempotency_key: null }

  /** Where the hosted pages are. */
  readonly pagesUrl: string

  #now: () => number
  #seed: string
  #counter = 0
  #offsetSeconds = 0
  #momentSeconds: number | undefined
  #tables: Tables = emptyTables()
  #latestEventSeconds = 0
  #undo: (() => void)[] | undefined
  #made: Event[] = []

  constructor({ now = () => Date.now(), seed, pagesUrl }: StoreOptions) {
    this.pagesUrl = pagesUrl
    this.#now = now
    this.#seed = seed
  }

  /** Stripe's present, in seconds: the clock, what it was moved forward by, or the moment something fell due. */
  now(): number {
    return this.#momentSeconds ?? Math.floor(this.#now() / 1000) + this.#offsetSeconds
  }

  /** Moves Stripe's present forward for good. */
  moveTo(seconds: number): void {
    this.#offsetSeconds += Math.max(0, seconds - this.now())
    this.onChange()
  }

  /** Runs what fell due at a moment in the past as if it were then, but never before what has happened already. */
  at(seconds: number, run: () => void): void {
    const before = this.#momentSeconds
    this.#momentSeconds = Math.max(seconds, this.#latestEventSeconds)
    try {
      run()
    } finally {
      this.#momentSeconds = before
    }
  }

  /** An id with a type's prefix, in the lengths that Stripe's have. */
  id(prefix: string, length = 24): string {
    this.#counter += 1
    const digits = hash('sha512', `${this.#seed}:${this.#counter}`, 'base64').replaceAll(/[+/=]/g, '')
    return prefix + digits.slice(0, length)
  }

  get<K extends Kind>(kind: K, id: string): Collections[K] | undefined {
    return this.#tables[kind].get(id)
  }

  /** The object, or the refusal that Stripe gives; `param` is where the id stood. */
  need<K extends Kind>(kind: K, id: string, param = 'id'): Collections[K] {
    const found = this.get(kind, id)
    if (!found) throw resourceMissing(names[kind] ?? kind, id, param)
    return found
  }

  /** Every object of a kind, oldest first. */
  all<K extends Kind>(kind: K): Collections[K][] {
    return [...this.#tables[kind].values()]
  }

  put<K extends Kind>(kind: K, object: Collections[K]): Collections[K] {
    const table: Map<string, Collections[K]> = this.#tables[kind]
    const before = table.get(object.id)
    this.#undo?.push(() => (before ? table.set(object.id, before) : table.delete(object.id)))
    table.set(object.id, object)
    return object
  }

  /** Replaces some fields of an object that is there. */
  change<K extends Kind>(kind: K, id: string, changes: Partial<Collections[K]>): Collections[K] {
    return this.put(kind, { ...this.need(kind, id), ...changes })
  }

  remove(kind: Kind, id: string): void {
    const table: Map<string, unknown> = this.#tables[kind]
    const entries = [...table]
    // The place in the order matters to lists, so it is the whole order that is put back.
    this.#undo?.push(() => {
      table.clear()
      for (const [key, value] of entries) table.set(key, value)
    })
    table.delete(id)
  }

  /** Makes an event about an object as it is now; `before` is how it was, for an update. */
  emit(type: Event['type'], object: object, before?: object): void {
    const previous = before ? changedFields(before, object) : undefined
    if (previous && Object.keys(previous).length === 0) return
    this.#latestEventSeconds = this.now()
    const event = {
      id: this.id('evt_1'),
      object: 'event',
      api_version: Stripe.API_VERSION,
      created: this.now(),
      data: { object, ...(previous ? { previous_attributes: previous } : {}) },
      livemode: false,
      pending_webhooks: 1,
      request: this.request,
      type,
    }
    // The package's Event is a union of several hundred; that type and object belong together is up to the caller.
    this.#made.push(this.put('event', event as unknown as Event))
  }

  /** An event that was taken waits for nobody any more. */
  noteDelivery(id: string): void {
    if (this.get('event', id)) this.atomically(() => this.change('event', id, { pending_webhooks: 0 }))
  }

  /** Forgets what is so old that nobody can ask for it any more. */
  forgetEvents(before: number): void {
    for (const { id, created } of this.#tables.event.values()) {
      if (created >= before) return
      this.#tables.event.delete(id)
    }
  }

  /** Runs a change whole or not at all, and then lets its events out. */
  atomically<T>(run: () => T): T {
    if (this.#undo) return run()
    const counter = this.#counter
    this.#undo = []
    this.#made = []
    try {
      const result = run()
      this.#commit()
      return result
    } catch (error) {
      if (error instanceof ApiError && error.keepsChanges) this.#commit()
      else this.#rollBack(counter)
      throw error
    }
  }

  #commit(): void {
    const [changed, made] = [(this.#undo ?? []).length > 0, this.#made]
    this.#undo = undefined
    this.#made = []
    for (const event of made) this.onEvent(event)
    if (changed) this.onChange()
  }

  #rollBack(counter: number): void {
    for (const undo of (this.#undo ?? []).reverse()) undo()
    this.#undo = undefined
    this.#made = []
    this.#counter = counter
  }

  save(): SavedStore {
    return {
      seed: this.#seed,
      counter: this.#counter,
      offsetSeconds: this.#offsetSeconds,
      settings: this.settings,
      collections: Object.fromEntries(kinds.map((kind) => [kind, this.all(kind)])),
    }
  }

  load(saved: SavedStore): void {
    this.#seed = saved.seed
    this.#counter = saved.counter
    this.#offsetSeconds = saved.offsetSeconds
    this.settings = saved.settings
    this.#tables = emptyTables()
    for (const kind of kinds) {
      const table: Map<string, { id: string }> = this.#tables[kind]
      for (const object of saved.collections[kind] ?? []) table.set(object.id, object)
    }
    this.#latestEventSeconds = this.all('event').at(-1)?.created ?? 0
  }
}

/** What the fields that differ were before, nested objects by their fields, lists as a whole. */
function changedFields(before: object, after: object): Record<string, unknown> {
  const old = before as Record<string, unknown>
  const now = after as Record<string, unknown>
  const changed: Record<string, unknown> = {}
  for (const field of new Set([...Object.keys(old), ...Object.keys(now)])) {
    if (old[field] === now[field] || JSON.stringify(old[field]) === JSON.stringify(now[field])) continue
    const [was, is] = [old[field] ?? null, now[field]]
    changed[field] = isPlain(was) && isPlain(is) ? changedFields(was, is) : was
  }
  return changed
}

const isPlain = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !('toJSON' in value)
