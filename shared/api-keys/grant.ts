/** Delegation: a key cannot issue or rotate a key with more rights than its own. */

import type { Caller, KeyCaller } from '../auth/caller.ts'
import { missingScopes, type Scope } from '../auth/scopes.ts'
import { ProblemError } from '../problem.ts'
import type { KeyDefinition } from './record.ts'

/** @throws ProblemError `forbidden`, naming the scopes that the caller lacks */
export function requireGrantable(caller: Caller, scopes: readonly Scope[]): void {
  const missing = missingScopes(scopes, caller.scopes)
  if (missing.length === 0) return
  throw forbidden(`You can grant only scopes that you hold. You lack ${missing.join(', ')}.`)
}

/** The key that a request asks for. A field that it leaves out comes from the caller. */
export type KeyWish = Omit<KeyDefinition, 'environment'> & { environment?: KeyDefinition['environment'] | undefined }

/**
 * The definition of the key that a caller can issue.
 *
 * @throws ProblemError `forbidden`, naming the right that the caller lacks
 */
export function delegated(caller: Caller, wish: KeyWish): KeyDefinition {
  requireIssuer(caller)
  requireGrantable(caller, wish.scopes)
  if (caller.kind !== 'api_key') return { ...wish, environment: wish.environment ?? 'live' }
  const definition = {
    ...wish,
    environment: wish.environment ?? caller.environment,
    expires_at: wish.expires_at === undefined ? caller.expiresAt : wish.expires_at,
    ...(wish.key_type === 'org'
      ? {
          federation_id: wish.federation_id === undefined ? caller.federationId : wish.federation_id,
          model_id: wish.model_id === undefined ? caller.modelId : wish.model_id,
        }
      : {}),
  }
  requireNarrower(caller, definition)
  return definition
}

/** @throws ProblemError `forbidden` when the caller may issue no key at all */
export function requireIssuer(caller: Caller): void {
  if (caller.kind !== 'api_key' || !caller.retiring) return
  throw forbidden('A retiring key cannot issue keys. Use the key that replaced it.')
}

/** @throws ProblemError `forbidden` when the new key would have more rights than its issuer */
export function requireNarrower(caller: Caller, key: KeyDefinition): void {
  if (caller.kind !== 'api_key') return
  if (caller.environment === 'test' && key.environment !== 'test')
    throw forbidden('A test key can issue and edit only test keys.')
  requireSameBinding(caller, key)
  if (caller.expiresAt === null) return
  const end = key.expires_at ?? null
  if (end !== null && Date.parse(end) <= Date.parse(caller.expiresAt)) return
  throw forbidden(
    `A key cannot issue or edit a key that expires later: expires_at must be at most ${caller.expiresAt}.`,
  )
}

function requireSameBinding({ federationId, modelId }: KeyCaller, key: KeyDefinition): void {
  for (const [field, bound] of [['federation_id', federationId] as const, ['model_id', modelId] as const]) {
    if (bound === null || (key.key_type === 'org' && key[field] === bound)) continue
    throw forbidden(`A key bound to the ${field} ${bound} can issue and edit only org keys of that ${field}.`)
  }
}

const forbidden = (detail: string) => new ProblemError('forbidden', detail)
