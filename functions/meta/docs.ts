import { referencePage } from '../../shared/http/reference-page.ts'
import { servePublic } from '../../shared/http/serve-public.ts'
import { environment } from '../../shared/runtime/environment.ts'
import { getDocs } from './contract.ts'

/** Serves the page. The browser loads its script from the web distribution. */
export const handler = servePublic(getDocs, () => {
  const url = environment('referenceScriptUrl')
  const integrity = environment('referenceScriptIntegrity')
  return referencePage({ script: url ? { url, ...(integrity ? { integrity } : {}) } : undefined })
})
