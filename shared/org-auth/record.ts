/** The sign-in settings of an org (SSO, SCIM, primary mode) and their consistency rules. */
import * as z from 'zod'
import { nameField } from '../fields.ts'
import { lazy } from '../lazy.ts'
import { writtenUrlField } from '../outbound/written-url.ts'
import { type InputFault, invalidInput, ProblemError } from '../problem.ts'
import { secretNeeded } from '../secrets/destination.ts'
import type { EncryptedSecret } from '../secrets/kms.ts'
import { secretField } from '../secrets/secret.ts'

/** Providers that only the server can be configured with, not an org. */
export const signInProviders = ['google', 'apple', 'github'] as const
export type SignInProvider = (typeof signInProviders)[number]

/** VSCHAR of RFC 6749, appendix A.1: the characters of client ids and secrets. */
const vschar = /^[\x20-\x7e]+$/
const notVschar = 'must be printable ASCII (RFC 6749, appendix A)'

export const identityModeField = lazy(() => z.enum(['password', 'oauth', 'sso', 'passkey']))

/** Free text for people. */
const labelField = lazy(() => nameField(255).nullable())

const settingFields = lazy(() => ({
  sso_enabled: z.boolean().meta({ description: 'People can sign in through SSO; needs plan team.' }),
  sso_protocol: z.enum(['saml', 'oidc']).nullable().meta({ description: 'The protocol of SSO; null: not chosen.' }),
  sso_metadata_url: writtenUrlField().nullable().meta({ description: 'https; the identity provider’s SAML metadata.' }),
  sso_issuer: writtenUrlField()
    .refine((url) => !/[?#]/.test(url), 'must not hold a query or a fragment (OIDC Discovery, section 3)')
    .nullable()
    .meta({ description: 'https; the OIDC issuer.' }),
  sso_client_id: z
    .string()
    .min(1)
    .max(255)
    .regex(vschar, notVschar)
    .nullable()
    .meta({ description: 'Id of this platform at the OIDC issuer; null: none.' }),
  sso_enforced: z.boolean().meta({ description: 'People can sign in through SSO only.' }),
  sso_default_role: z.enum(['admin', 'member']).meta({ description: 'Role of people who first sign in through SSO.' }),
  scim_enabled: z.boolean().meta({ description: 'People are provisioned through SCIM; needs plan enterprise.' }),
  primary_identity_mode: identityModeField().meta({
    description: 'Primary way to sign in; each mode needs its own switch, for example `sso` needs `sso_enabled`.',
  }),
  email_password_enabled: z.boolean().meta({ description: 'People can sign in with e-mail and password.' }),
  passkeys_enabled: z.boolean().meta({ description: 'People can sign in with a passkey.' }),
  sso_provider: labelField().meta({ description: 'Name of the identity provider, for people; null: not set.' }),
  sso_domain: labelField().meta({
    description: 'Domain of the people who use SSO; stored, not checked; null: none.',
  }),
}))

/** The fields of a patch. */
export const orgAuthPatchFields = lazy(() => ({
  ...settingFields(),
  sso_client_secret: secretField(
    z
      .string()
      .min(1)
      .max(1024)
      .regex(/^[\x20-\x7e\u2026]+$/, notVschar),
  )
    .nullable()
    .meta({ description: 'Write-only.' }),
}))

export const orgAuthSchema = lazy(() =>
  z
    .object({
      google_enabled: z.boolean().meta({ description: 'From the server’s own configuration; cannot be set.' }),
      apple_enabled: z.boolean().meta({ description: 'From the server’s own configuration; cannot be set.' }),
      github_enabled: z.boolean().meta({ description: 'From the server’s own configuration; cannot be set.' }),
      ...settingFields(),
      sso_client_secret: z
        .string()
        .nullable()
        .meta({ description: 'The mask of the stored secret; null when there is none.' }),
    })
    .meta({ id: 'OrgAuth', description: 'How people of an organization sign in.' }),
)

type Settings = z.infer<z.ZodObject<ReturnType<typeof settingFields>>>

/** As stored: the client secret is encrypted. */
export type OrgAuth = Settings & { sso_client_secret: EncryptedSecret | null }

export const defaultOrgAuth: OrgAuth = {
  sso_enabled: false,
  sso_protocol: null,
  sso_metadata_url: null,
  sso_issuer: null,
  sso_client_id: null,
  sso_client_secret: null,
  sso_enforced: false,
  sso_default_role: 'member',
  scim_enabled: false,
  primary_identity_mode: 'password',
  email_password_enabled: true,
  passkeys_enabled: false,
  sso_provider: null,
  sso_domain: null,
}

/** The view: all settings, the secret as its mask, and the providers of the server. */
export const toOrgAuthView = (auth: OrgAuth, providers: readonly SignInProvider[]) => ({
  google_enabled: providers.includes('google'),
  apple_enabled: providers.includes('apple'),
  github_enabled: providers.includes('github'),
  ...auth,
  sso_client_secret: auth.sso_client_secret?.masked ?? null,
})

/** Identifies the stored secret for the ETag: two secrets can have the same mask. */
export const unseenOf = ({ sso_client_secret: encrypted }: OrgAuth): string | undefined =>
  encrypted ? Buffer.from(encrypted.ciphertext).toString('base64') : undefined

/** The settings after a patch. The client secret may not be encrypted yet. */
type WantedAuth = Settings & { sso_client_secret: object | null }

/** The inconsistencies of the settings. Each fault names a field that can fix it. */
export function incoherences(auth: WantedAuth, providers: readonly SignInProvider[]): InputFault[] {
  const faults: InputFault[] = []
  const need = (field: keyof WantedAuth, unless: boolean, message: string) => {
    if (!unless) faults.push({ path: field, code: 'incoherent', message })
  }
  if (auth.sso_enabled) {
    need('sso_protocol', auth.sso_protocol !== null, 'is needed when sso_enabled is true: saml or oidc')
    if (auth.sso_protocol === 'saml') {
      need('sso_metadata_url', auth.sso_metadata_url !== null, 'is needed for sso_protocol saml')
    }
    if (auth.sso_protocol === 'oidc') {
      need('sso_issuer', auth.sso_issuer !== null, 'is needed for sso_protocol oidc')
      need('sso_client_id', auth.sso_client_id !== null, 'is needed for sso_protocol oidc')
      need('sso_client_secret', auth.sso_client_secret !== null, 'is needed for sso_protocol oidc')
    }
  }
  need('sso_enforced', !auth.sso_enforced || auth.sso_enabled, 'can be true only while sso_enabled is true')
  const mode = auth.primary_identity_mode
  need('primary_identity_mode', mode !== 'sso' || auth.sso_enabled, 'can be sso only while sso_enabled is true')
  need(
    'primary_identity_mode',
    mode !== 'password' || auth.email_password_enabled,
    'can be password only while email_password_enabled is true',
  )
  need(
    'primary_identity_mode',
    mode !== 'passkey' || auth.passkeys_enabled,
    'can be passkey only while passkeys_enabled is true',
  )
  need(
    'primary_identity_mode',
    mode !== 'oauth' || providers.length > 0,
    'cannot be oauth: this server has no OAuth provider',
  )
  return faults
}

/**
 * Refuses settings without a way to sign in. Providers of the server do not count: the service does not know whether
 * members have accounts there.
 *
 * @throws ProblemError `invalid_input`
 */
export function requireWayIn(auth: Settings): void {
  if (auth.email_password_enabled || auth.passkeys_enabled || auth.sso_enabled) return
  const message = 'is the last way to sign in; enable passkeys_enabled or sso_enabled first'
  const errors = [{ path: 'email_password_enabled', code: 'last_auth_method', message }]
  throw new ProblemError('invalid_input', `email_password_enabled ${message}`, {
    errors,
    published: 'last_auth_method',
  })
}

/**
 * A patch that names another identity provider must send the client secret again.
 *
 * @throws ProblemError `invalid_input`
 */
export function requireSecretAgain(before: OrgAuth, wanted: Settings, secret: unknown): void {
  if (before.sso_client_secret === null || secret !== undefined) return
  const moved = (['sso_issuer', 'sso_metadata_url'] as const).find(
    (field) => wanted[field] !== null && wanted[field] !== before[field],
  )
  if (moved) throw invalidInput([secretNeeded('sso_client_secret', moved)])
}

/** The features of higher plans that a change enables, by field. Enabled features stay on after a downgrade. */
export const featuresSwitchedOn = (before: Settings, after: Settings): Record<string, 'sso' | 'scim'> => ({
  ...(after.sso_enabled && !before.sso_enabled ? { sso_enabled: 'sso' } : {}),
  ...(after.scim_enabled && !before.scim_enabled ? { scim_enabled: 'scim' } : {}),
})

export type OrgAuthView = z.infer<ReturnType<typeof orgAuthSchema>>
