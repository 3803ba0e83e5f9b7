/** The operations that read and delete one of an org's many things are the same for every kind of thing. */
import { getRecord, listRecords, type RecordKind, recordDeleted, type StoredRecord } from '../storage/record.ts'
import { equalsFilter } from '../table/query.ts'
import { type Answer, noContent } from './answer.ts'
import type { BodyOf, Operation } from './operation.ts'
import { listPage } from './page.ts'
import { recordAnswer, requireRecordMatch } from './record-answers.ts'
import { serve } from './serve.ts'

/** The id is the only path parameter that such an operation has. */
const idIn = (params: unknown): string => Object.values(params as Record<string, string>)[0] ?? ''

/** Answers one record as it may be seen. */
export const serveRecord = <Op extends Operation, T extends StoredRecord>(
  operation: Op,
  kind: RecordKind<T, BodyOf<Op, 200>>,
) =>
  serve<Operation, Answer>(operation, async ({ caller, params }) =>
    recordAnswer(kind, await getRecord(kind, caller.orgId, idIn(params))),
  )

/** Deletes a record with its secrets; a second time there is nothing to delete. */
export const serveDeletion = <T extends StoredRecord>(operation: Operation, kind: RecordKind<T>) =>
  serve(operation, async ({ caller, params, headers, commit }) => {
    const record = await getRecord(kind, caller.orgId, idIn(params))
    requireRecordMatch(headers, kind, record)
    return commit(recordDeleted(kind, caller.orgId, record), noContent)
  })

/** Lists records, newest first; what the query holds beside the paging are attributes and the values they must have. */
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

/** Every list's query is `pageQuery` and filters, which are texts. */
type ListQuery = { limit: number; cursor?: string | undefined } & Partial<Record<string, never>>
