/** What this stage lets outbound calls reach: both parts of the guard, the written one and the live one, ask here. */
import { environmentList } from '../runtime/environment.ts'
import { type WrittenUrlRules, writtenUrlField } from './written-url.ts'

/** Ranges in CIDR notation that the stage allows although they are not public. */
export const allowedCidrs = (): string[] => environmentList('outboundAllowedCidrs')

export const callableUrlRules = (): WrittenUrlRules => ({ schemes: ['https', 'http'], allowedCidrs: allowedCidrs() })

/** The root of an API that this service calls: paths are appended to it. Kept without a slash at its end. */
export const apiRootField = () =>
  writtenUrlField(callableUrlRules())
    .refine((text) => !/[?#]/.test(text), 'must not hold a query or a fragment: paths are appended to it')
    .transform((text) => text.replace(/\/+$/, ''))
