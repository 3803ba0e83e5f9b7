/**
 * Answers with a record. Its `ETag` covers the version, because a view can stay the same while a secret in the record
 * changes.
 */
import { type RecordKind, recordUpdated, type StoredRecord } from '../storage/record.ts'
import { created, type JsonAnswer, resource } from './answer.ts'
import { type Commit, commitIfChanged, requireMatch } from './patch.ts'

/** The view of a record. */
export const recordAnswer = <T extends StoredRecord, View extends object>(kind: RecordKind<T, View>, record: T) =>
  resource(kind.shown(record), record.version)

/** The view of a new record. */
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

/** Commits the change from `before` to `after`, and answers the new view. Writes nothing if the two are equal. */
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
