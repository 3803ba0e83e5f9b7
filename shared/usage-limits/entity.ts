/** The usage limits of an org in the table: one row for all metrics, so a change is all or nothing. */
import type { DocumentKind } from '../storage/document.ts'
import type { LimitsRecord } from './record.ts'

export const usageLimits: DocumentKind<LimitsRecord> = {
  sortKey: 'USAGELIMITS',
  resource: 'usage_limits',
  updated: 'usage_limits.updated',
  defaults: {},
}
