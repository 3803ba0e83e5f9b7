/** The hosted pages. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { StripeEngine } from './engine.ts'

export function createPages(_engine: StripeEngine) {
  return async (_request: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.writeHead(404).end()
  }
}
