/** The local Stripe without HTTP: synchronous requests in order. */

import { type Route, routes } from './api.ts'
import { ApiError } from './api-error.ts'
import { expand } from './expand.ts'
import type { Event } from './objects.ts'
import { seedCatalog } from './seed.ts'
import { Store } from './store.ts'
import { catchUp } from './timeline.ts'

interface EngineOptions {
  /** Milliseconds since the epoch; the wall clock by default. */
  now?: () => number
  /** Engines with the same seed and the same requests give the same ids. */
  seed?: string
  /** URL of the hosted pages, for the URLs of sessions and invoices. */
  pagesUrl?: string
}

export type StripeEngine = ReturnType<typeof createStripeEngine>

/** Makes an engine that has only the plans' products and prices. */
export function createStripeEngine({
  seed = 'seed',
  pagesUrl = 'http://127.0.0.1/local/stripe',
  ...options
}: EngineOptions = {}) {
  const store = new Store({ ...options, seed, pagesUrl })
  store.atomically(() => seedCatalog(store))
  /** Answers a request as `/v1/…` would, or throws an ApiError. */
  const request = (method: Route['method'], path: string, params: object = {}): object => {
    catchUp(store)
    const { run, id } = findRoute(method, path)
    return store.atomically(() => expand(store, run(store, id, params), expandOf(params)))
  }
  return {
    store,
    request,
    /** Moves time forward by days, or to a time in epoch seconds, and runs everything due on the way. */
    advance: (by: { days: number } | { to: number }): void => {
      store.moveTo('to' in by ? by.to : store.now() + Math.round(by.days * 86_400))
      catchUp(store)
    },
    catchUp: () => catchUp(store),
    onEvent: (listener: (event: Event) => void): void => {
      store.onEvent = listener
    },
  }
}

function expandOf(params: object): string[] {
  const { expand: paths } = params as { expand?: unknown }
  return Array.isArray(paths) ? paths.map(String) : []
}

export function findRoute(method: string, path: string): { run: Route['run']; id: string } {
  for (const route of routes) {
    const id = route.method === method ? idIn(route.path, path) : undefined
    if (id !== undefined) return { run: route.run, id }
  }
  throw new ApiError(404, {
    type: 'invalid_request_error',
    message: `Unrecognized request URL (${method}: ${path}). If you are trying to list objects, remove the trailing slash. If you are trying to retrieve an object, make sure you passed a valid (non-empty) identifier in your code.`,
  })
}

/** The id in a path; empty when the pattern has no id, undefined when the path does not match. */
function idIn(pattern: string, path: string): string | undefined {
  const [want, have] = [pattern.split('/'), path.split('/')]
  if (want.length !== have.length) return
  let id = ''
  for (const [index, part] of want.entries()) {
    const is = have[index] ?? ''
    if (part === '{id}') id = decodeURIComponent(is)
    else if (part !== is) return
  }
  return want.includes('{id}') && id === '' ? undefined : id
}
