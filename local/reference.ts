/**
 * The script of the API reference, and its page with a token filled in, so that a developer can send requests at once. Only
 * `npm run dev` serves them: no deployed function imports this folder.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { referenceScript } from '../lib/web-site.ts'
import { referencePage } from '../shared/http/reference-page.ts'

export const referencePath = '/api/v1/docs'
export const referenceScriptPath = '/local/reference.js'

/** The script, which the Web stack serves where the service is deployed. */
export function answerReferenceScript(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/javascript; charset=utf-8', 'cache-control': 'no-cache' })
  response.end(referenceScript())
}

/**
 * Whether a request is for the page, by a loopback name. A web site whose name resolves to this machine (DNS rebinding)
 * gets the page without a token.
 */
export const asksForPrefilled = ({ method, url, headers }: IncomingMessage): boolean =>
  method === 'GET' && url === referencePath && /^(127\.0\.0\.1|localhost)(:\d+)?$/.test(headers.host ?? '')

/** Answers the page. `mint` creates a token for each load, so it has not expired. */
export const prefilledReference =
  (mint: () => Promise<string>) =>
  async (_request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const authentication = {
      preferredSecurityScheme: 'bearer',
      securitySchemes: { bearer: { token: await mint() } },
    }
    const { status, headers, raw } = referencePage({
      script: { url: referenceScriptPath },
      settings: { authentication },
    })
    response.writeHead(status, { ...headers, 'cache-control': 'no-store' }).end(raw?.body)
  }
