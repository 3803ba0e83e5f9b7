import { cursorsFor, nextLink } from '../../shared/http/page.ts'
import { serve } from '../../shared/http/serve.ts'
import { exportTrail } from '../../shared/trail/export.ts'
import { formats } from '../../shared/trail/export-formats.ts'
import { exportAuditEvents } from './contract.ts'

/** Less than 5,000,000 by the size of a heading and a last checkpoint. */
const maxBytes = 4_990_000

/** Exports one page of the trail. */
export const handler = serve(exportAuditEvents, async ({ caller, query, now, path }) => {
  const { cursor, ...asked } = query
  const cursors = cursorsFor(caller.orgId, asked)
  const { mediaType, sizeOf, bodyOf } = formats[asked.format]
  const after = cursors.decode(cursor)
  const { lines, next } = await exportTrail(caller.orgId, { ...asked, after, now, maxBytes, sizeOf })
  return {
    status: 200 as const,
    headers: { 'content-type': mediaType, ...nextLink(path, asked, cursors.encode(next)) },
    raw: { body: bodyOf(lines), isBase64Encoded: false },
  }
})
