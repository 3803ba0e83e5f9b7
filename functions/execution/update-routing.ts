import { routing } from '../../shared/execution/routing.ts'
import { asStored, serveDocumentPatch } from '../../shared/http/serve-documents.ts'
import { updateRouting } from './contract.ts'

/** Applies a patch to the routing. */
export const handler = serveDocumentPatch(updateRouting, routing, asStored)
