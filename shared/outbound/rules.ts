/** The rules of this stage for outbound calls. Both parts of the guard use them. */
import { environmentList } from '../runtime/environment.ts'
import { type WrittenUrlRules, writtenUrlField } from './written-url.ts'

/** Ranges in CIDR notation that the stage allows although they are not public. */
export const allowedCidrs = (): string[] => environmentList('outboundAllowedCidrs')

export const callableUrlRules = (): WrittenUrlRules => ({ schemes: ['https', 'http'], allowedCidrs: allowedCidrs() })

/** The root URL of an API; the service appends paths to it. Stored without a trailing slash. */
export const apiRootField = () =>
  writtenUrlField(callableUrlRules())
    .refine((text) => !/[?#]/.test(text), 'must not hold a query or a fragment: the service appends paths to it')
    .transform((text) => text.replace(/\/+$/, ''))
