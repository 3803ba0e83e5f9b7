/** Who is calling, once a token is verified. */
import type { Actor } from '../audit/event.ts'
import { type Role, roleScopes, type Scope } from './scopes.ts'

interface Identity {
  orgId: string
  scopes: readonly Scope[]
  /** Requests that this principal may make in a minute. */
  rateLimitPerMinute: number
}

export interface KeyCaller extends Identity {
  kind: 'api_key'
  keyId: string
  /** Origins that a publishable key is bound to; empty: not bound. */
  allowedOrigins: readonly string[]
}

export interface UserCaller extends Identity {
  kind: 'user'
  userId: string
  role: Role
  email?: string
}

export type Caller = KeyCaller | UserCaller

export const defaultRateLimitPerMinute = 100

export const userCaller = (user: Pick<UserCaller, 'userId' | 'orgId' | 'role' | 'email'>): UserCaller => ({
  kind: 'user',
  ...user,
  scopes: roleScopes[user.role],
  rateLimitPerMinute: defaultRateLimitPerMinute,
})

/** The caller's id within its org, unique across kinds. */
export const principalOf = (caller: Caller): string =>
  caller.kind === 'api_key' ? caller.keyId : `user_${caller.userId}`

export const actorOf = (caller: Caller): Actor =>
  caller.kind === 'api_key'
    ? { type: 'api_key', id: caller.keyId }
    : { type: 'user', id: caller.userId, ...(caller.email ? { email: caller.email } : {}) }
