/** `POST /local/clock/advance`: moves the clock of due times, to try retries and deadlines without waiting. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { advanceDueClock, dueNowMs } from '../shared/runtime/due-clock.ts'
import { object } from '../shared/untrusted.ts'

export const clockPath = '/local/clock/advance'

/** About ten years: dates stay valid. */
const maxSeconds = 315_360_000

export async function answerClock(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const seconds = secondsIn(Buffer.concat(chunks).toString('utf8'))
  if (request.method !== 'POST' || seconds === undefined) {
    const detail = `POST {"seconds": n}, with n from 0 to ${maxSeconds}.`
    response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify({ detail }))
    return
  }
  advanceDueClock(seconds)
  const now = new Date(dueNowMs()).toISOString()
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ now }))
}

function secondsIn(body: string): number | undefined {
  try {
    const { seconds } = object(JSON.parse(body))
    return typeof seconds === 'number' && seconds >= 0 && seconds <= maxSeconds ? seconds : undefined
  } catch {
    return undefined
  }
}
