/** The audit trail: reading it, and checking that nothing in it was changed. */

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
  description: 'Every change of the organization and every denied attempt at one, newest first.',
  request: () => ({
    query: z
      .object({
        ...pageQuery(),
        action: z.enum(auditActions).optional().meta({ description: 'Only events of this action.' }),
        actor_id: z
          .string()
          .min(1)
          .max(255)
          .optional()
          .meta({ description: 'Only events of this key, person or system.' }),
        resource_id: z
          .string()
          .min(1)
          .max(255)
          .optional()
          .meta({ description: 'Only events about the resource with this id.' }),
        from: instantField().optional().meta({ description: 'Events at this instant or later.' }),
        to: instantField().optional().meta({ description: 'Events before this instant.' }),
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
    'Recomputes the hash chain, oldest kept event first, a page at a time: follow `next_cursor` until it is null. The chain is intact when every page is valid.',
  request: () => ({
    query: z.object({
      ...pageQuery(),
      limit: countQuery(1, 1000, 500).meta({ description: 'Events a page.' }),
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
          .meta({ description: 'Where the chain breaks first; null when it does not.' }),
        next_cursor: z.string().nullable(),
      })
      .meta({ id: 'AuditVerification' }),
  }),
  access: listAccess,
})
