/** Sign-in settings in the records of the published contract. */
import * as z from 'zod'
import { named, optional, wire } from '../../shared/http/published.ts'
import { lazy } from '../../shared/lazy.ts'
import type { OrgAuthView } from '../../shared/org-auth/record.ts'

/** Modes of the published contract. */
export const identityModes = ['email_password', 'sso', 'passkey'] as const

/** The published mode. `oauth` maps to `email_password`, the nearest published mode. */
export const publishedMode = (mode: OrgAuthView['primary_identity_mode']): (typeof identityModes)[number] =>
  mode === 'sso' || mode === 'passkey' ? mode : 'email_password'

/** The published contract has no passkey flag: the mode `passkey` enables passkeys. */
export function modeInput(mode: (typeof identityModes)[number] | null | undefined) {
  if (!mode) return {}
  if (mode === 'passkey') return { primary_identity_mode: mode, passkeys_enabled: true }
  return { primary_identity_mode: mode === 'email_password' ? ('password' as const) : mode }
}

export const authView = lazy(() =>
  wire({
    body: z.strictObject({
      identity_mode: optional(z.enum(identityModes)),
      email_password_enabled: optional(z.boolean()),
      sso_provider: z.string().nullish(),
      sso_domain: z.string().nullish(),
      scim_enabled: optional(z.boolean()),
    }),
    names: { primary_identity_mode: 'identity_mode' },
    toInput: ({ identity_mode, email_password_enabled, scim_enabled, ...labels }) => ({
      ...named({ email_password_enabled, scim_enabled }),
      ...modeInput(identity_mode),
      ...Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== undefined)),
    }),
    toAnswer: (auth: OrgAuthView) => ({
      identity_mode: publishedMode(auth.primary_identity_mode),
      email_password_enabled: auth.email_password_enabled,
      google_enabled: auth.google_enabled,
      apple_enabled: auth.apple_enabled,
      github_enabled: auth.github_enabled,
      passkeys_enabled: auth.passkeys_enabled,
      sso_provider: auth.sso_provider,
      sso_domain: auth.sso_domain,
      scim_enabled: auth.scim_enabled,
    }),
  }),
)
