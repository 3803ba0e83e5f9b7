/** Local targets in the table. */
import { notFound, ProblemError } from '../problem.ts'
import type { SecretBinding } from '../secrets/kms.ts'
import { getRecord, type RecordKind, recordKey } from '../storage/record.ts'
import { updateRowIf } from '../table/update.ts'
import {
  envTarget,
  envTargetId,
  type LocalTargetRecord,
  type LocalTargetView,
  toAuditFields,
  toLocalTargetView,
  untested,
} from './local-target.ts'
import type { Probe } from './probe.ts'

export const localTargets: RecordKind<LocalTargetRecord, LocalTargetView> = {
  prefix: 'TGT#',
  resource: 'local_target',
  created: 'local_target.created',
  updated: 'local_target.updated',
  deleted: 'local_target.deleted',
  max: 200,
  plural: 'local targets',
  defaults: untested,
  shown: toLocalTargetView,
  audited: toAuditFields,
}

/** Binds the key of a target to its row. */
export const keyOf = (orgId: string, id: string): SecretBinding => ({ orgId, recordId: id, purpose: 'local_target' })

/**
 * A target that can be changed.
 *
 * @throws ProblemError `not_found`; `conflict` for the target that the deployment configures
 */
export function getChangeableTarget(orgId: string, id: string): Promise<LocalTargetRecord> {
  if (id !== envTargetId) return getRecord(localTargets, orgId, id)
  if (!envTarget()) throw notFound()
  throw new ProblemError('conflict', 'The deployment configures this target (LOCAL_RUNTIME_URL). Change it there.')
}

/** A target that can be tested, including the one that the deployment configures. */
export async function getTestableTarget(orgId: string, id: string) {
  const named = id === envTargetId ? envTarget() : undefined
  return named ? { ...named, ciphertext: null } : getRecord(localTargets, orgId, id)
}

/**
 * Stores the result of a test, unless the endpoint or key changed during the test. It increases the version, so that a
 * concurrent patch does not undo it.
 */
export async function stampTested(
  orgId: string,
  { id, endpoint, runtime, ciphertext }: Pick<LocalTargetRecord, 'id' | 'endpoint' | 'runtime' | 'ciphertext'>,
  { success, latency_ms, error }: Pick<Probe, 'success' | 'latency_ms' | 'error'>,
  now: Date,
): Promise<void> {
  if (id === envTargetId) return
  const verified = success ? ', last_verified_at = :at, verification_latency_ms = :latency' : ''
  await updateRowIf(recordKey(localTargets, orgId, id), {
    UpdateExpression: `SET verification_error = :error${verified} ADD version :one`,
    ConditionExpression: 'endpoint = :endpoint AND runtime = :runtime AND ciphertext = :key',
    ExpressionAttributeValues: {
      ...{ ':error': error, ':one': 1 },
      ...(success ? { ':at': now.toISOString(), ':latency': latency_ms } : {}),
      ...{ ':endpoint': endpoint, ':runtime': runtime, ':key': ciphertext },
    },
  })
}
