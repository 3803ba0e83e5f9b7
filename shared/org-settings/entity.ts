/** The settings row of an org: made with its defaults on the first read, changed by version. */

import { type Change, StaleReadError } from '../storage/commit.ts'
import { type DocumentKind, documentChanged, documentKey, readDocument, type Versioned } from '../storage/document.ts'
import { insert } from '../storage/table.ts'
import { defaultOrgSettings, type OrgSettings } from './record.ts'

const kind: DocumentKind<OrgSettings> = {
  sortKey: 'SETTINGS',
  resource: 'org_settings',
  updated: 'org_settings.updated',
  defaults: defaultOrgSettings,
}

export const readOrgSettings = (orgId: string): Promise<Versioned<OrgSettings>> => readDocument(kind, orgId)

/** The change that writes the defaults of an org that has no settings yet; of two, the second reads again. */
export const orgSettingsInitialized = (orgId: string): Change => ({
  action: 'org_settings.initialized',
  actor: { type: 'system', id: 'settings' },
  resource: { type: 'org_settings', id: orgId },
  result: 'success',
  changes: [],
  writes: [
    insert(
      { ...documentKey(kind, orgId), value: defaultOrgSettings, version: 1 },
      () => new StaleReadError('the settings were initialized by another request'),
    ),
  ],
})

/** The change from `before` to `after`. Events from it on are kept as long as `after` says. */
export const orgSettingsUpdated = (orgId: string, before: Versioned<OrgSettings>, after: OrgSettings): Change => ({
  ...documentChanged(kind, orgId, before, after),
  auditRetentionDays: after.audit_retention_days,
})
