import { servePublic } from '../../shared/http/serve-public.ts'
import { publicKeys } from '../../shared/trail/public-keys.ts'
import { getAuditKey } from './contract.ts'

/** Returns the public keys of the audit trail. */
export const handler = servePublic(getAuditKey, async () => ({
  status: 200 as const,
  body: { keys: await publicKeys() },
  headers: { 'cache-control': 'public, max-age=300' },
}))
