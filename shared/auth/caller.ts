/** The caller, after its token was verified. */
import type { Actor } from '../audit/event.ts'
import type { Environment } from './api-key.ts'
import { type KeyType, type Role, roleScopes, type Scope } from './scopes.ts'

interface Identity {
  orgId: string
  scopes: readonly Scope[]
  /** Requests per minute that this principal can make. */
  rateLimitPerMinute: number
}

export interface KeyCaller extends Identity {
  kind: 'api_key'
  keyId: string
  keyType: KeyType
  /** The bindings of the key. Keys that it issues get the same bindings. */
  environment: Environment
  federationId: string | null
  modelId: string | null
  /** When it expires; null: never. */
  expiresAt: string | null
  /** It was rotated, and works until the end of its overlap. */
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
  /** Whether the sign-in used a second factor. */
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
