import { routing } from '../../shared/execution/routing.ts'
import { asStored, serveDocument } from '../../shared/http/serve-documents.ts'
import { getRouting } from './contract.ts'

/** Reads the routing. */
export const handler = serveDocument(getRouting, routing, asStored)
