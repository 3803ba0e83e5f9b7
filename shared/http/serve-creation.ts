/** The operation that creates a record, for every kind of record. */
import { type IdPrefix, newId } from '../ids.ts'
import { type RecordKind, recordCreated, requireRoom, type StoredRecord } from '../storage/record.ts'
import type { Answer } from './answer.ts'
import type { BodyOf, Operation } from './operation.ts'
import { recordCreatedAnswer } from './record-answers.ts'
import { type Call, serve } from './serve.ts'

/** The fields that every new record gets. */
export type NewRecord = Pick<StoredRecord, 'id' | 'created_at' | 'updated_at' | 'version'>

interface Creation<Op extends Operation, T extends StoredRecord> {
  kind: RecordKind<T, BodyOf<Op, 201>>
  idPrefix: IdPrefix
  /** Refuses a request before the check of the org's limit. */
  validate?(call: Call<Op>): void
  /** Builds the record from the request. */
  build(call: Call<Op>, fresh: NewRecord): Promise<T>
}

/** Creates a record. Calls `build` only if the org is below its limit of records. */
export const serveCreation = <Op extends Operation, T extends StoredRecord>(
  operation: Op,
  { kind, idPrefix, validate, build }: Creation<Op, T>,
) =>
  serve<Operation, Answer>(operation, async (untyped) => {
    // This operation's schemas validated the request. The type of `serve` does not know them.
    const call = untyped as unknown as Call<Op>
    const { orgId } = call.caller
    validate?.(call)
    await requireRoom(kind, orgId)
    const [id, at] = [newId(idPrefix), call.now.toISOString()]
    const record = await build(call, { id, created_at: at, updated_at: at, version: 1 })
    const answer = recordCreatedAnswer(kind, record, `${operation.path}/${id}`)
    return call.commit(recordCreated(kind, orgId, record), answer)
  })
