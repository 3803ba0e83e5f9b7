/** Settings that a standard requires. They are a start and do not replace reading the standard. */
import type { OrgSettings } from './record.ts'

export const presetNames = ['hipaa', 'gdpr', 'pci', 'soc2'] as const

type Preset = Pick<
  OrgSettings,
  | 'audit_retention_days'
  | 'require_mfa_for_admin'
  | 'require_admin_approval'
  | 'auto_rollback_enabled'
  | 'protect_production'
>

const guarded = { require_mfa_for_admin: true, auto_rollback_enabled: true, protect_production: true } as const

/**
 * Retention of audit events: HIPAA six years (45 CFR 164.316), PCI DSS one (10.5.1), SOC 2 one by custom. GDPR: no
 * longer than needed.
 */
export const compliancePresets: Readonly<Record<(typeof presetNames)[number], Preset>> = {
  hipaa: { audit_retention_days: 2190, require_admin_approval: true, ...guarded },
  gdpr: { audit_retention_days: 365, require_admin_approval: false, ...guarded },
  pci: { audit_retention_days: 365, require_admin_approval: true, ...guarded },
  soc2: { audit_retention_days: 365, require_admin_approval: true, ...guarded },
}
