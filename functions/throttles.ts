/**
 * Throttle of each route: API Gateway counts per route and across all callers, before a function runs. The
 * limits of a single credential are in `shared/http/rate-limit.ts`.
 */
import { routeKeyOf } from '../shared/http/operation.ts'
import { operationList } from './operations.ts'

/** A token bucket: each request takes one token. */
export interface Throttle {
  /** Tokens that come back per second. */
  rateLimit: number
  /** Tokens that a full bucket holds. */
  burstLimit: number
}

/** The default of every route, by the posture of the stage. */
export const defaultThrottles = {
  disposable: { rateLimit: 50, burstLimit: 100 },
  protected: { rateLimit: 200, burstLimit: 400 },
} as const satisfies Record<string, Throttle>

/**
 * Operations whose traffic differs from the default by this factor. The catch-all keeps the default: browsers send it a
 * preflight per page and path.
 */
const factors: Readonly<Record<string, number>> = {
  // Every runtime of every organization reports, each few seconds.
  'settings.report-execution': 5,
  // Stripe sends a burst when many subscriptions renew within the same minute.
  'stripe-events.receive': 4,
  // Every service asks about each key that it is called with, every 30 seconds.
  'settings.api-keys.introspect': 10,
  // Services read these to verify a key before they trust it.
  'settings.api-keys.get': 2,
  'settings.api-keys.scopes': 2,
  // Public pages start a function for every caller, and change with a deploy only.
  'meta.health': 0.2,
  'meta.openapi': 0.2,
  'meta.docs': 0.2,
}

/** Operation ids that the factors name. */
export const throttledIds: readonly string[] = Object.keys(factors)

export interface RouteThrottles {
  default: Throttle
  /** Routes that differ, by route key: `POST /api/v2/settings/execution/reports`. */
  exceptions: Record<string, Throttle>
}

/** The throttles of a stage, from its default: `DefaultRouteSettings` and `RouteSettings` of the API's stage. */
export function routeThrottles(defaultThrottle: Throttle): RouteThrottles {
  const exceptions = operationList.flatMap(([, { id, routes }]) => {
    const factor = factors[id]
    return factor === undefined
      ? []
      : routes.map((route) => [routeKeyOf(route), scaled(defaultThrottle, factor)] as const)
  })
  return { default: defaultThrottle, exceptions: Object.fromEntries(exceptions) }
}

/** At least 1: API Gateway refuses every request of a route whose limit is 0. */
const scaled = ({ rateLimit, burstLimit }: Throttle, factor: number): Throttle => ({
  rateLimit: Math.max(1, Math.round(rateLimit * factor)),
  burstLimit: Math.max(1, Math.round(burstLimit * factor)),
})
