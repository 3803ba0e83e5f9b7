/** The origins that a publishable key is bound to. */
import * as z from 'zod'
import { lazy } from '../lazy.ts'
import { type InputFault, invalidInput } from '../problem.ts'
import type { KeyDefinition } from './record.ts'

/** An origin as browsers send it: https, a host, a port unless it is 443, no path, no wildcard. */
const httpsOriginPattern = /^https:\/\/(?:[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(?::\d{1,5})?$/
const localhostOriginPattern = /^http:\/\/localhost:(?:\*|\d{1,5})$/

/** Scheme, a host of 255 characters and a port. Origins must stay short: every request reads the record of its key. */
const maxOriginLength = 'https://'.length + 255 + ':65535'.length
const maxOrigins = 50

const isExactOrigin = (origin: string): boolean =>
  httpsOriginPattern.test(origin) && URL.canParse(origin) && new URL(origin).origin === origin
const isLocalhostOrigin = (origin: string): boolean =>
  localhostOriginPattern.test(origin) && URL.canParse(origin.replace('*', '1'))

const httpsRule = 'must be an exact https origin like https://app.example.com'

const originField = lazy(() =>
  z
    .string()
    .max(maxOriginLength)
    .refine(
      (origin) => isExactOrigin(origin) || isLocalhostOrigin(origin),
      `${httpsRule}; for test keys also http://localhost:<port or *>`,
    ),
)

export const allowedOriginsField = lazy(() => z.array(originField()).max(maxOrigins))

/**
 * Only test keys can have localhost origins. The environment can come from the issuer, so a schema cannot check this.
 *
 * @throws ProblemError `invalid_input`, naming each origin by its position in the request
 */
export function requireOriginsOf({ environment, allowed_origins = [] }: KeyDefinition): void {
  if (environment === 'test') return
  const faults = allowed_origins.flatMap((origin, index): InputFault[] =>
    isLocalhostOrigin(origin)
      ? [
          {
            path: `allowed_origins.${index}`,
            code: 'invalid_value',
            message: `${httpsRule}; only test keys can have localhost origins`,
          },
        ]
      : [],
  )
  if (faults.length > 0) throw invalidInput(faults)
}

/** Whether a list of origins admits an origin, as a browser sends it. */
export const admitsOrigin = (allowed: readonly string[], origin: string): boolean =>
  allowed.some((entry) => admits(entry, origin))

/** Browsers leave the default port out of an origin, also where the list names it. */
const admits = (entry: string, origin: string): boolean =>
  entry === 'http://localhost:*'
    ? /^http:\/\/localhost(?::\d+)?$/.test(origin)
    : entry === origin || (URL.canParse(entry) && new URL(entry).origin === origin)
