import { cursorsFor } from '../../shared/http/page.ts'
import { serve } from '../../shared/http/serve.ts'
import { exportTrail } from '../../shared/trail/export.ts'
import { formats } from '../../shared/trail/export-formats.ts'
import { exportAuditEvents } from './contract.ts'

/** Less than 5,000,000 by what a heading and a last checkpoint take. */
const maxBytes = 4_990_000

/** Exports one page of the trail. */
export const handler = serve(exportAuditEvents, async ({ caller, query, now, path }) => {
  const { cursor, ...asked } = query
  const cursors = cursorsFor(caller.orgId, asked)
  const format = formats[asked.format]
  const after = cursors.decode(cursor)
  const { lines, next } = await exportTrail(caller.orgId, { ...asked, after, now, maxBytes, sizeOf: format.sizeOf })
  const position = cursors.encode(next)
  const following = new URLSearchParams(
    JSON.parse(JSON.stringify({ ...asked, cursor: position })) as Record<string, string>,
  )
  return {
    status: 200 as const,
    headers: {
      'content-type': format.mediaType,
      ...(position ? { link: `<${path}?${following}>; rel="next"` } : {}),
    },
    raw: { body: format.bodyOf(lines), isBase64Encoded: false },
  }
})
