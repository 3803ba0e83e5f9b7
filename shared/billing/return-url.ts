/** The URLs to which Stripe's pages return. They must be on a dashboard of this deployment. */
import * as z from 'zod'
import { lazy } from '../lazy.ts'
import { differentialFault } from '../outbound/written-url.ts'
import { type InputFault, invalidInput, ProblemError } from '../problem.ts'
import { environment } from '../runtime/environment.ts'

export const returnUrlField = lazy(() =>
  z.string().min(1).max(2048).optional().meta({
    description: 'Its origin must be one of the dashboards of this deployment. Default: the first of them.',
  }),
)

const dashboardOrigins = (): string[] =>
  (environment('dashboardOrigins') ?? '')
    .split(',')
    .map((origin) => origin.trim())
    .filter((origin) => origin !== '')

/**
 * The URLs of the request; for those it leaves out, a default path on the first dashboard.
 *
 * @throws ProblemError `invalid_input` naming each URL on another origin, `service_unavailable` without any dashboard
 */
export function returnUrls<Field extends string>(
  wanted: Record<Field, string | undefined>,
  defaultPaths: Record<Field, string>,
): Record<Field, string> {
  const origins = dashboardOrigins()
  const fields = Object.keys(defaultPaths) as Field[]
  const faults = fields.flatMap((field) => faultOf(field, wanted[field], origins))
  if (faults.length > 0) throw invalidInput(faults)
  const urls = fields.map((field) => [field, wanted[field] ?? firstOf(origins) + defaultPaths[field]])
  return Object.fromEntries(urls) as Record<Field, string>
}

function faultOf(field: string, url: string | undefined, origins: readonly string[]): InputFault[] {
  if (url === undefined || leadsTo(url, origins)) return []
  const message = `must be on one of the configured origins: ${origins.join(', ') || 'none yet'}`
  return [{ path: field, code: 'origin_not_allowed', message }]
}

function leadsTo(url: string, origins: readonly string[]): boolean {
  return differentialFault(url) === undefined && origins.includes(new URL(url).origin)
}

function firstOf([first]: readonly string[]): string {
  if (first !== undefined) return first
  throw new ProblemError(
    'service_unavailable',
    'This deployment has no dashboard to return to. Configure one: -c cors_origins=https://… (DASHBOARD_ORIGINS).',
    { retryable: false },
  )
}
