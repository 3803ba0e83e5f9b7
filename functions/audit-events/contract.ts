/** The audit trail: list and export events, and verify that none was changed. */
import * as z from 'zod'
import { listAccess } from '../../shared/access.ts'
import { auditActions, auditEventSchema } from '../../shared/audit/event.ts'
import { eventPrefix } from '../../shared/audit/event-rows.ts'
import { countQuery, instantField } from '../../shared/fields.ts'
import { operation } from '../../shared/http/operation.ts'
import { pageOf, pageQuery } from '../../shared/http/page.ts'
import type { BackgroundFunction } from '../../shared/runtime/background.ts'
import { checkpointSchema } from '../../shared/trail/checkpoint.ts'
import { faultReasons } from '../../shared/trail/fault.ts'

const tag = 'Audit'

const rangeQuery = () => ({
  from: instantField().optional().meta({ description: 'Only events at or after this time.' }),
  to: instantField().optional().meta({ description: 'Only events before this time.' }),
})
const isRange = ({ from, to }: { from?: string | undefined; to?: string | undefined }): boolean =>
  from === undefined || to === undefined || from < to
const emptyRange = { path: ['to'], error: 'must be later than from' }

export const listAuditEvents = operation({
  id: 'settings.list-audit-events',
  route: 'GET /api/v2/settings/audit-events',
  tag,
  scope: 'audit:read',
  summary: 'List audit events',
  description: 'Lists every change and every denied attempt to change something, newest first.',
  request: () => ({
    query: z
      .object({
        ...pageQuery(),
        action: z.enum(auditActions).optional().meta({ description: 'Only events with this action.' }),
        actor_id: z
          .string()
          .min(1)
          .max(255)
          .optional()
          .meta({ description: 'Only events by this key, person or system.' }),
        resource_id: z
          .string()
          .min(1)
          .max(255)
          .optional()
          .meta({ description: 'Only events about the resource with this id.' }),
        ...rangeQuery(),
      })
      .refine(isRange, emptyRange),
  }),
  answers: () => ({ 200: pageOf(auditEventSchema()) }),
  access: listAccess,
})

export const verifyAuditChain = operation({
  id: 'settings.verify-audit-chain',
  route: 'GET /api/v2/settings/audit-events/verify',
  tag,
  scope: 'audit:read',
  summary: 'Verify the audit chain',
  description:
    'Checks the blocks of the trail, their signatures and every event, page by page, from the oldest block. Follow `next_cursor` until it is null. The trail is intact if every page is valid.',
  request: () => ({
    query: z.object({
      ...pageQuery(),
      limit: countQuery(1, 1000, 500).meta({
        description: 'A page ends with the block that reaches this many events.',
      }),
    }),
  }),
  answers: () => ({ 200: verificationSchema() }),
  access: { table: ['GetItem', 'Query', 'UpdateItem', 'BatchGetItem'], auditKey: 'read' },
})

const verificationSchema = () =>
  z
    .object({
      valid: z.boolean(),
      blocks_checked: z.int().meta({ description: 'Blocks of this page.' }),
      events_checked: z.int().meta({ description: 'Events in those blocks.' }),
      from_block: z.int().nullable(),
      to_block: z.int().nullable(),
      head: z
        .object({ block: z.int(), hash: z.string() })
        .nullable()
        .meta({ description: 'The newest block. null: there is none.' }),
      unsealed: z.object({ count: z.int(), oldest_at: z.iso.datetime().nullable() }).meta({
        description: 'Events of this page that are in no block yet. After 5 minutes, such an event is a fault.',
      }),
      first_invalid: z
        .object({ block: z.int().nullable(), event_id: z.string().nullable(), reason: z.enum(faultReasons) })
        .nullable()
        .meta({
          description:
            'The first fault. `unsealed`: an event is in no block. `missing`: a block or an event is gone. `changed`: a block, a signature or an event differs. `duplicate`: an event is in two blocks. `broken_link`: a block does not follow the one before. null: none.',
        }),
      next_cursor: z.string().nullable(),
    })
    .meta({ id: 'AuditVerification' })

export const exportAuditEvents = operation({
  id: 'settings.export-audit-events',
  route: 'GET /api/v2/settings/audit-events/export',
  tag,
  scope: 'audit:read',
  summary: 'Export the audit trail',
  description:
    'Returns the trail, oldest first, in pages of at most 5,000,000 bytes. The `Link` header with `rel="next"` leads to the next page. A line of `ndjson` is `{"event":…}`, `{"block":…}` or `{"checkpoint":…}`: each block follows its events, and its checkpoint follows the block. Events without a block are last. `csv` has the events, and no formulas for spreadsheets.',
  request: () => ({
    query: z
      .object({
        format: z
          .enum(['ndjson', 'csv'])
          .default('ndjson')
          .meta({ description: '`ndjson` can be verified; `csv` is for spreadsheets.' }),
        ...rangeQuery(),
        cursor: pageQuery().cursor.meta({ description: 'The position in the `Link` header of the page before.' }),
      })
      .refine(isRange, emptyRange),
  }),
  answers: () => ({ 200: null }),
  mediaTypes: ['application/x-ndjson', 'text/csv'],
  access: { table: ['GetItem', 'Query', 'UpdateItem', 'BatchGetItem'] },
})

export const listAuditCheckpoints = operation({
  id: 'settings.list-audit-checkpoints',
  route: 'GET /api/v2/settings/audit-events/checkpoints',
  tag,
  scope: 'audit:read',
  summary: 'List checkpoints',
  description:
    'Lists the signatures of the trail, newest first. `GET /api/v1/audit-key` has the public keys. Keep checkpoints elsewhere: they prove what the trail was.',
  request: () => ({ query: z.object(pageQuery()) }),
  answers: () => ({ 200: pageOf(checkpointSchema()) }),
  access: listAccess,
})

/** Seals new events: a reader of the table's stream. */
export const sealAuditEvents = {
  id: 'audit-events.seal',
  summary: 'Chains new audit events, and signs the chain',
  trigger: { tableStream: { insertedSortKeys: eventPrefix } },
  timeoutSeconds: 60,
  access: { table: ['GetItem', 'Query', 'BatchGetItem', 'PutItem', 'UpdateItem'], auditKey: 'sign' },
} satisfies BackgroundFunction
