/** What every preflight check works with, and what a missing permission means. */
import type Stripe from 'stripe'
import type { StageSettings } from '../lib/stage.ts'
import type { Check } from './checks.ts'

/** The settings of a stage that a preflight reads. */
export type PreflightSettings = Pick<
  StageSettings,
  'stage' | 'retainData' | 'customDomain' | 'stripe' | 'front' | 'lambdaConcurrency'
>

/** Earlier checks fill in what later ones need. */
export interface PreflightContext {
  settings: PreflightSettings
  region?: string
  account?: string
  /** By a key that Stripe accepts. */
  stripe?: Stripe
  /** Whether that key is one of live mode. */
  livemode?: boolean
}

export type PreflightCheck = Check<PreflightContext>

/** For clients of AWS: a check that hangs must not hold up a deploy. */
export const clientLimits = {
  maxAttempts: 2,
  requestHandler: { connectionTimeout: 3000, requestTimeout: 10_000 },
} as const

/** The caller lacks a permission; names the IAM action. */
export class NotPermittedError extends Error {
  override readonly name = 'NotPermittedError'
}

const deniedNames = ['AccessDenied', 'AccessDeniedException', 'UnauthorizedOperation', 'NotAuthorized']

/**
 * Makes a call that needs IAM actions.
 *
 * @throws NotPermittedError when AWS denies it
 */
export async function permitted<T>(actions: string, call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (error) {
    if (error instanceof Error && deniedNames.includes(error.name)) throw new NotPermittedError(actions)
    throw error
  }
}

/** Undefined when AWS answers that there is no such thing. */
export async function unlessMissing<T>(call: Promise<T>, ...names: readonly string[]): Promise<T | undefined> {
  try {
    return await call
  } catch (error) {
    if (error instanceof Error && names.includes(error.name)) return undefined
    throw error
  }
}
