/**
 * How a record of an org's many is answered. Its version is part of its `ETag`: what is shown of a record can stay the same
 * while a secret of it is replaced.
 */
import { type RecordKind, recordUpdated, type StoredRecord } from '../storage/record.ts'
import { created, type JsonAnswer, resource } from './answer.ts'
import { type Commit, commitIfChanged, requireMatch } from './patch.ts'

/** A record as it may be seen. */
export const recordAnswer = <T extends StoredRecord, View extends object>(kind: RecordKind<T, View>, record: T) =>
  resource(kind.shown(record), record.version)

/** A record that has come to be. */
export const recordCreatedAnswer = <T extends StoredRecord, View extends object>(
  kind: RecordKind<T, View>,
  record: T,
  location: string,
) => created(kind.shown(record), location, undefined, record.version)

/** @throws ProblemError `precondition_failed` when `If-Match` names another state of the record */
export const requireRecordMatch = <T extends StoredRecord>(
  headers: Readonly<Record<string, string>>,
  kind: RecordKind<T>,
  record: T,
): void => requireMatch(headers, kind.shown(record), record.version)

/** Commits the change from `before` to `after` and answers what is then; what changes nothing leaves all as it was. */
export function commitUpdate<T extends StoredRecord, View extends object>(
  { caller, commit }: { caller: { orgId: string }; commit: Commit<JsonAnswer<View, 200>> },
  kind: RecordKind<T, View>,
  before: T,
  after: T,
): Promise<JsonAnswer<View, 200>> {
  const mutation = recordUpdated(kind, caller.orgId, before, after)
  const record = mutation.diff.length === 0 ? before : { ...after, version: before.version + 1 }
  return commitIfChanged(commit, mutation, recordAnswer(kind, record))
}
