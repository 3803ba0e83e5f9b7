import type { Actor } from './event.ts'

/** Who acts, when and in which request: recorded with every change. */
export interface RequestContext {
  orgId: string
  actor: Actor
  now: Date
  requestId: string
  ip?: string | undefined
  userAgent?: string | undefined
}
