/**
 * The local Stripe's state. Stored objects are immutable and only replaced, so an event keeps the object as it was. A
 * refused request changes nothing.
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
  /** Internal facts that objects do not show, by the id of their object. */
  deleted_customer: { id: string }
  declining_card: { id: string }
  unconfirmed_card: { id: string }
  session_details: { id: string; lineItems: LineItem[]; subscription: SessionSubscription }
  pending_lines: { id: string; lines: InvoiceLine[] }
  trial_warning: { id: string }
}

/** Settings of a checkout session for its subscription. */
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

/** Names of kinds in Stripe's error messages. */
const names: Partial<Record<Kind, string>> = {
  payment_method: 'PaymentMethod',
  'billing_portal.configuration': 'configuration',
}

export interface Settings {
  /** The account's billing setting for a subscription whose last retry failed. */
  afterRetries: 'cancel' | 'unpaid' | 'past_due'
}

interface StoreOptions {
  /** Milliseconds since the epoch; the wall clock by default. */
  now?: () => number
  /** Two stores with the same seed give the same ids to the same requests. */
  seed: string
  pagesUrl: string
}

/** The serialized store; see `save` and `load`. */
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
  /** Called after each change. */
  onChange: () => void = () => {}
  /** The request that causes the current events. */
  request: { id: string | null; idempotency_key: string | null } = { id: null, idempotency_key: null }

  /** URL of the hosted pages. */
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

  /** Current time in epoch seconds: the clock plus its offset, or the due time of the work that runs now. */
  now(): number {
    return this.#momentSeconds ?? Math.floor(this.#now() / 1000) + this.#offsetSeconds
  }

  /** Moves the clock forward permanently. */
  moveTo(seconds: number): void {
    this.#offsetSeconds += Math.max(0, seconds - this.now())
    this.onChange()
  }

  /** Runs due work at its due time in the past, but never before the latest event. */
  at(seconds: number, run: () => void): void {
    const before = this.#momentSeconds
    this.#momentSeconds = Math.max(seconds, this.#latestEventSeconds)
    try {
      run()
    } finally {
      this.#momentSeconds = before
    }
  }

  /** An id with a type's prefix, as long as Stripe's ids. */
  id(prefix: string, length = 24): string {
    this.#counter += 1
    const digits = hash('sha512', `${this.#seed}:${this.#counter}`, 'base64').replaceAll(/[+/=]/g, '')
    return prefix + digits.slice(0, length)
  }

  get<K extends Kind>(kind: K, id: string): Collections[K] | undefined {
    return this.#tables[kind].get(id)
  }

  /**
   * Returns the object.
   *
   * @throws ApiError when it is missing; `param` names the parameter of the id
   */
  need<K extends Kind>(kind: K, id: string, param = 'id'): Collections[K] {
    const found = this.get(kind, id)
    if (!found) throw resourceMissing(names[kind] ?? kind, id, param)
    return found
  }

  /** All objects of a kind, oldest first. */
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

  /** Replaces some fields of an existing object. */
  change<K extends Kind>(kind: K, id: string, changes: Partial<Collections[K]>): Collections[K] {
    return this.put(kind, { ...this.need(kind, id), ...changes })
  }

  remove(kind: Kind, id: string): void {
    const table: Map<string, unknown> = this.#tables[kind]
    const entries = [...table]
    // Lists depend on the order of entries, so an undo restores the whole order.
    this.#undo?.push(() => {
      table.clear()
      for (const [key, value] of entries) table.set(key, value)
    })
    table.delete(id)
  }

  /** Emits an event with an object's current state; for an update, `before` is its earlier state. */
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
    // The package's Event is a union of several hundred types. The caller must pass the object that fits the type.
    this.#made.push(this.put('event', event as unknown as Event))
  }

  /** Marks an event as delivered. */
  noteDelivery(id: string): void {
    if (this.get('event', id)) this.atomically(() => this.change('event', id, { pending_webhooks: 0 }))
  }

  /** Deletes events from before a time. */
  forgetEvents(before: number): void {
    for (const { id, created } of this.#tables.event.values()) {
      if (created >= before) return
      this.#tables.event.delete(id)
    }
  }

  /** Runs a change completely or not at all, and then sends its events. */
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

/** Previous values of changed fields: nested objects by field, lists as a whole. */
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
