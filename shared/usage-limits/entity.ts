/** The usage limits of an org in the table: one row for all metrics, so that a change is all or nothing. */
import type { DocumentKind } from '../storage/document.ts'
import type { StoredLimits } from './record.ts'

export const usageLimits: DocumentKind<StoredLimits> = {
  sortKey: 'USAGELIMITS',
  resource: 'usage_limits',
  updated: 'usage_limits.updated',
  defaults: {},
}
