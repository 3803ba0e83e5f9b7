/** The operations that read, list and delete records, for every kind of record. */
import { getRecord, listRecords, type RecordKind, recordDeleted, type StoredRecord } from '../storage/record.ts'
import { equalsFilter } from '../table/query.ts'
import { type Answer, noContent } from './answer.ts'
import type { BodyOf, Operation } from './operation.ts'
import { listPage } from './page.ts'
import { recordAnswer, requireRecordMatch } from './record-answers.ts'
import { serve } from './serve.ts'

/** The id is the only path parameter of these operations. */
const idIn = (params: unknown): string => Object.values(params as Record<string, string>)[0] ?? ''

/** Serves the view of one record. */
export const serveRecord = <Op extends Operation, T extends StoredRecord>(
  operation: Op,
  kind: RecordKind<T, BodyOf<Op, 200>>,
) =>
  serve<Operation, Answer>(operation, async ({ caller, params }) =>
    recordAnswer(kind, await getRecord(kind, caller.orgId, idIn(params))),
  )

/** Deletes a record with its secrets. A second call answers 404. */
export const serveDeletion = <T extends StoredRecord>(operation: Operation, kind: RecordKind<T>) =>
  serve(operation, async ({ caller, params, headers, commit }) => {
    const record = await getRecord(kind, caller.orgId, idIn(params))
    requireRecordMatch(headers, kind, record)
    return commit(recordDeleted(kind, caller.orgId, record), noContent)
  })

/** Lists records, newest first. Query parameters other than the paging filter by the attribute of the same name. */
export const serveList = <Op extends Operation, T extends StoredRecord>(
  operation: Op,
  kind: RecordKind<T, EntryOf<Op>>,
) =>
  serve<Operation, Answer>(operation, (call) =>
    listPage({ ...call, query: call.query as ListQuery }, async (filter, page) => {
      const { data, next } = await listRecords(kind, call.caller.orgId, page, equalsFilter(filter))
      return { data: data.map(kind.shown), next }
    }),
  )

/** The view of an entry, as the contract of a list declares it. */
type EntryOf<Op extends Operation> =
  BodyOf<Op, 200> extends { readonly data: readonly (infer Entry extends object)[] } ? Entry : never

/** The query of a list: `pageQuery`, and filters, which are strings. */
type ListQuery = { limit: number; cursor?: string | undefined } & Partial<Record<string, never>>
