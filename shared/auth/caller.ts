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
  /** When the token ends, as ISO 8601. */
  expiresAt: string
  /** Whether the sign-in used a second factor. */
  usedMfa: boolean
}

/** A service of the operator of the platform. It acts for the organization that the request names. */
export interface ServiceCaller extends Identity {
  kind: 'service'
  keyId: string
  name: string
  environment: Environment
  /** Whether the request names an organization. Without one, `orgId` is `operatorId`. */
  namesOrg: boolean
}

/** Takes the place of an org's id in rows and events of the operator. It has not the form of an org's id. */
export const operatorId = 'operator'

export type Caller = KeyCaller | UserCaller | ServiceCaller

export const defaultRateLimitPerMinute = 100
export const serviceRateLimitPerMinute = 100_000

export const userCaller = (user: Omit<UserCaller, 'kind' | 'scopes' | 'rateLimitPerMinute'>): UserCaller => ({
  kind: 'user',
  ...user,
  scopes: roleScopes[user.role],
  rateLimitPerMinute: defaultRateLimitPerMinute,
})

/** The organization that a caller belongs to or acts for; undefined for a service that names none. */
export const orgOf = (caller: Caller): string | undefined =>
  caller.kind === 'service' && !caller.namesOrg ? undefined : caller.orgId

/** The caller's id within its org, unique across kinds. */
export const principalOf = (caller: Caller): string => (caller.kind === 'user' ? `user_${caller.userId}` : caller.keyId)

export const actorOf = (caller: Caller): Actor =>
  caller.kind !== 'user'
    ? { type: caller.kind, id: caller.keyId }
    : { type: 'user', id: caller.userId, ...(caller.email ? { email: caller.email } : {}) }
