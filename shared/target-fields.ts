/** Settings by which inference chooses a target, the same for every kind of target. */
import * as z from 'zod'
import { lazy } from './lazy.ts'

export const choiceFields = lazy(() => ({
  priority: z.int().min(0).max(1000).meta({ description: 'For the strategy `priority`: lower is tried first.' }),
  weight: z.int().min(0).max(1000).meta({ description: 'For the strategy `weighted`: its share; 0: none.' }),
}))

/** Defaults for requests that leave these fields out. */
export const choiceDefaults = { priority: 100, weight: 1 }

export const rateLimitFields = lazy(() => ({
  rpm_limit: z.int().min(1).max(1_000_000).nullable().meta({
    description: 'Requests a minute that inference may send; null: no limit.',
  }),
  tpm_limit: z.int().min(1).max(1_000_000_000).nullable().meta({
    description: 'Tokens a minute that inference may send; null: no limit.',
  }),
}))

export const rateLimitDefaults = { rpm_limit: null, tpm_limit: null }
