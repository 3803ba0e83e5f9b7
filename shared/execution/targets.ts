/** The targets of an org in the table. */
import { connections } from '../cloud-connections/entity.ts'
import { credentials } from '../cloud-credentials/entity.ts'
import { allRecords, recordKey } from '../storage/record.ts'
import { existingRows } from '../table/read.ts'
import type { CloudRecord } from './cloud-target.ts'
import {
  envTarget,
  envTargetId,
  type LocalTargetView,
  type TargetVerification,
  toLocalTargetView,
  untested,
} from './local-target.ts'
import { localTargets } from './local-target-entity.ts'

/** The local targets, newest first, after the target that the deployment configures. */
export async function readLocalTargets(orgId: string): Promise<LocalTargetView[]> {
  const own = await allRecords(localTargets, orgId)
  return [...[envTarget()].filter((target) => target !== undefined), ...own.map(toLocalTargetView)]
}

/** Connections, then credentials, each newest first. */
export async function readCloudRecords(orgId: string): Promise<CloudRecord[]> {
  const [ofConnections, ofCredentials] = await Promise.all([
    allRecords(connections, orgId),
    allRecords(credentials, orgId),
  ])
  return [
    ...ofConnections.map((record) => ({ kind: 'connection' as const, record })),
    ...ofCredentials.map((record) => ({ kind: 'credential' as const, record })),
  ]
}

/** Every target with the result of its last test. Credentials are never tested. */
export async function readVerifications(orgId: string) {
  const [local, cloud] = await Promise.all([readLocalTargets(orgId), readCloudRecords(orgId)])
  return [
    ...local.map((target) => ({
      ...{ target_id: target.id, kind: 'local' as const, provider: target.runtime },
      ...verificationOf(target),
    })),
    ...cloud.map(({ kind, record }) => ({
      ...{ target_id: record.id, kind, provider: record.provider },
      ...(kind === 'connection' ? verificationOf(record) : untested),
    })),
  ]
}

const verificationOf = (tested: TargetVerification): TargetVerification => ({
  last_verified_at: tested.last_verified_at,
  verification_latency_ms: tested.verification_latency_ms,
  verification_error: tested.verification_error,
})

/** The given ids, at most 100, that are not targets of the org. */
export async function unknownTargets(orgId: string, ids: ReadonlySet<string>): Promise<Set<string>> {
  const stored = [...ids].filter((id) => id !== envTargetId)
  const keyOf = (id: string) => recordKey(kindOf(id), orgId, id)
  const found = new Set((await existingRows(stored.map(keyOf))).map(({ sk }) => sk))
  const unknown = new Set(stored.filter((id) => !found.has(keyOf(id).sk)))
  return ids.has(envTargetId) && !envTarget() ? unknown.add(envTargetId) : unknown
}

const kindOf = (id: string): { prefix: string } =>
  id.startsWith('conn_') ? connections : id.startsWith('cred_') ? credentials : localTargets
