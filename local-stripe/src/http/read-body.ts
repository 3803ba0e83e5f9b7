/** Reads a request's body, up to a limit. */
import type { IncomingMessage } from 'node:http'
import { ApiError } from '../model/api-error.ts'

const limitBytes = 1024 * 1024

export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += (chunk as Buffer).length
    if (size <= limitBytes) chunks.push(chunk as Buffer)
  }
  if (size > limitBytes)
    throw new ApiError(413, { type: 'invalid_request_error', message: 'Request body is too large.' })
  return Buffer.concat(chunks).toString('utf8')
}
