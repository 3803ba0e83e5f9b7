/** Context of every preflight check, and the handling of missing permissions. */
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
  /** Client with a key that Stripe accepts. */
  stripe?: Stripe
  /** Whether that key is a live key. */
  livemode?: boolean
}

export type PreflightCheck = Check<PreflightContext>

/** Timeouts of AWS clients: a hanging check must not block a deploy. */
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
 * Runs a call that needs IAM actions.
 *
 * @throws NotPermittedError if AWS denies it
 */
export async function permitted<T>(actions: string, call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (error) {
    if (error instanceof Error && deniedNames.includes(error.name)) throw new NotPermittedError(actions)
    throw error
  }
}

/** Undefined if AWS answers that the resource does not exist. */
export async function unlessMissing<T>(call: Promise<T>, ...names: readonly string[]): Promise<T | undefined> {
  try {
    return await call
  } catch (error) {
    if (error instanceof Error && names.includes(error.name)) return undefined
    throw error
  }
}
