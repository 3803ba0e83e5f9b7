/** An OIDC issuer on loopback: discovery, keys, and tokens for any person and org. */
import { existsSync, readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose'
import type { Role } from '../shared/auth/scopes.ts'
import { writePrivateFile } from './state.ts'

export const issuerPath = '/local/oidc'
export const audience = 'octomil-settings'

export interface Person {
  sub: string
  org_id: string
  role: Role
  email?: string
}

export interface Issuer {
  url: string
  /** A token for a person, valid for `ttlSeconds` (negative: expired already), with any further claims. */
  mint(person: Person, ttlSeconds: number, claims?: Record<string, unknown>): Promise<string>
  handle(request: IncomingMessage, response: ServerResponse): void
}

/** An issuer at `baseUrl`, whose signing key is kept in `keyFile` so that tokens outlive a restart. */
export async function createIssuer(baseUrl: string, keyFile?: string): Promise<Issuer> {
  const url = baseUrl + issuerPath
  const privateJwk = await loadKey(keyFile)
  const privateKey = await importJWK(privateJwk, 'RS256')
  const { kty, n, e, kid } = privateJwk
  const documents: Record<string, unknown> = {
    [`${issuerPath}/.well-known/openid-configuration`]: {
      issuer: url,
      jwks_uri: `${url}/jwks.json`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
    },
    [`${issuerPath}/jwks.json`]: { keys: [{ kty, n, e, kid, alg: 'RS256', use: 'sig' }] },
  }
  return {
    url,
    mint: ({ sub, ...person }, ttlSeconds, claims = {}) => {
      const now = Math.floor(Date.now() / 1000)
      return new SignJWT({ ...person, auth_time: now, amr: ['pwd', 'mfa'], ...claims })
        .setProtectedHeader({ alg: 'RS256', ...(kid ? { kid } : {}) })
        .setIssuer(url)
        .setAudience(audience)
        .setSubject(sub)
        .setIssuedAt(Math.min(now, now + ttlSeconds))
        .setExpirationTime(now + ttlSeconds)
        .sign(privateKey)
    },
    handle: (request, response) => {
      const document = documents[request.url ?? '']
      response.writeHead(document ? 200 : 404, { 'content-type': 'application/json' })
      response.end(JSON.stringify(document ?? { error: 'not_found' }))
    },
  }
}

async function loadKey(keyFile: string | undefined): Promise<JWK> {
  if (keyFile && existsSync(keyFile)) return JSON.parse(readFileSync(keyFile, 'utf8')) as JWK
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  const jwk = { ...(await exportJWK(privateKey)), kid: `local-${Date.now()}` }
  if (keyFile) writePrivateFile(keyFile, JSON.stringify(jwk))
  return jwk
}
