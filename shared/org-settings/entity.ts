/** The settings row of an org: created with defaults on the first read, changed by version. */
import { bornAt } from '../ids.ts'
import type { OrgAuth } from '../org-auth/record.ts'
import { type Mutation, StaleReadError } from '../storage/commit.ts'
import {
  type DocumentKind,
  documentChanged,
  documentKey,
  documentOf,
  type Versioned,
  writeDocument,
} from '../storage/document.ts'
import { getRow } from '../table/read.ts'
import { fromRow } from '../table/rows.ts'
import { insert } from '../table/writes.ts'
import { defaultOrgSettings, type OrgSettings, type OrgSettingsView } from './record.ts'

const kind: DocumentKind<OrgSettings> = {
  sortKey: 'SETTINGS',
  resource: 'org_settings',
  updated: 'org_settings.updated',
  defaults: defaultOrgSettings,
}

interface Times {
  created_at: string
  updated_at: string
}

/** The settings with their times; undefined until the first read writes the defaults. */
export type OrgSettingsRecord = Versioned<OrgSettings> & { times: Times | undefined }

export async function readOrgSettings(orgId: string): Promise<OrgSettingsRecord> {
  const row = await getRow(documentKey(kind, orgId))
  const stored = documentOf(kind, row)
  if (!row) return { ...stored, times: undefined }
  // Rows of earlier versions have no times. The id gives the time at which the organization was created.
  const { created_at = bornAt(orgId), updated_at = created_at } = fromRow<Partial<Times>>(row)
  return { ...stored, times: { created_at, updated_at } }
}

const timesFrom = ({ times }: OrgSettingsRecord, now: Date): Times => ({
  created_at: times?.created_at ?? now.toISOString(),
  updated_at: now.toISOString(),
})

/** The view of the settings. It includes the sign-in mode, which the sign-in settings store. */
export const toOrgSettingsView = (
  settings: OrgSettingsRecord,
  { primary_identity_mode }: Pick<OrgAuth, 'primary_identity_mode'>,
  now: Date,
): OrgSettingsView => ({
  ...settings.value,
  primary_identity_mode,
  ...(settings.times ?? timesFrom(settings, now)),
})

/**
 * The change that writes the defaults of an org without settings. Of two concurrent changes, the second reads again.
 */
export const orgSettingsInitialized = (orgId: string, now: Date): Mutation => ({
  action: 'org_settings.initialized',
  actor: { type: 'system', id: 'settings' },
  resource: { type: 'org_settings', id: orgId },
  result: 'success',
  diff: [],
  writes: [
    insert(
      {
        ...documentKey(kind, orgId),
        ...{ value: defaultOrgSettings, version: 1, created_at: now.toISOString(), updated_at: now.toISOString() },
      },
      () => new StaleReadError('the settings were initialized by another request'),
    ),
  ],
})

/** The change from `before` to `after`, and the stored result. */
export function orgSettingsUpdated(orgId: string, before: OrgSettingsRecord, value: OrgSettings, now: Date) {
  const times = timesFrom(before, now)
  const mutation: Mutation = {
    ...documentChanged(kind, orgId, before, value),
    writes: [writeDocument(kind, orgId, value, before.version, { ...times })],
  }
  const after: OrgSettingsRecord = mutation.diff.length === 0 ? before : { value, version: before.version + 1, times }
  return { mutation, after }
}
