/** Who is calling, once a token is verified. */
import type { Actor } from '../audit/event.ts'
import type { Environment } from './api-key.ts'
import { type KeyType, type Role, roleScopes, type Scope } from './scopes.ts'

interface Identity {
  orgId: string
  scopes: readonly Scope[]
  /** Requests that this principal may make in a minute. */
  rateLimitPerMinute: number
}

export interface KeyCaller extends Identity {
  kind: 'api_key'
  keyId: string
  keyType: KeyType
  /** What the key itself is bound to; what it issues is bound alike. */
  environment: Environment
  federationId: string | null
  modelId: string | null
  /** When it stops working; null: never. */
  expiresAt: string | null
  /** It was rotated, and works until its overlap ends. */
  retiring: boolean
  /** Origins that a publishable key is bound to; empty: not bound. */
  allowedOrigins: readonly string[]
}

export interface UserCaller extends Identity {
  kind: 'user'
  userId: string
  role: Role
  email?: string
  /** When the person signed in, in epoch seconds. */
  signedInAt: number
  /** Whether a second factor took part in it. */
  usedMfa: boolean
}

export type Caller = KeyCaller | UserCaller

export const defaultRateLimitPerMinute = 100

export const userCaller = (user: Omit<UserCaller, 'kind' | 'scopes' | 'rateLimitPerMinute'>): UserCaller => ({
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
