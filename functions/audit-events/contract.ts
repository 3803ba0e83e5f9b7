/** The audit trail: list events and verify that none was changed. */
import * as z from 'zod'
import { listAccess } from '../../shared/access.ts'
import { auditActions, auditEventSchema } from '../../shared/audit/event.ts'
import { countQuery, instantField } from '../../shared/fields.ts'
import { operation } from '../../shared/http/operation.ts'
import { pageOf, pageQuery } from '../../shared/http/page.ts'

const tag = 'Audit'

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
        from: instantField().optional().meta({ description: 'Only events at or after this time.' }),
        to: instantField().optional().meta({ description: 'Only events before this time.' }),
      })
      .refine(({ from, to }) => from === undefined || to === undefined || from < to, {
        path: ['to'],
        error: 'must be later than from',
      }),
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
    'Recomputes the hash chain page by page, starting at the oldest retained event. Follow `next_cursor` until it is null. The chain is intact if every page is valid.',
  request: () => ({
    query: z.object({
      ...pageQuery(),
      limit: countQuery(1, 1000, 500).meta({ description: 'Maximum events per page.' }),
    }),
  }),
  answers: () => ({
    200: z
      .object({
        valid: z.boolean(),
        events_checked: z.int(),
        from_seq: z.int().nullable(),
        to_seq: z.int().nullable(),
        head: z.object({ seq: z.int(), hash: z.string() }),
        first_invalid_seq: z
          .int()
          .nullable()
          .meta({ description: 'Position of the first broken link. null: none is broken.' }),
        next_cursor: z.string().nullable(),
      })
      .meta({ id: 'AuditVerification' }),
  }),
  access: listAccess,
})
