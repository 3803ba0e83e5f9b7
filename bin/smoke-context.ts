/** What every smoke check works with. */
import { withoutKeys } from '../shared/auth/api-key.ts'
import { type Check, type Finding, fail } from './checks.ts'
import type { Reply, Send } from './smoke-http.ts'

export interface SmokeContext {
  send: Send
  /** The stage that health must name; undefined to accept any. */
  stage: string | undefined
  /** An org key that holds `keys:write`. */
  apiKey: string | undefined
  /** The signing secret of the Stripe webhook. */
  webhookSecret: string | undefined
}

export type SmokeCheck = Check<SmokeContext>

/** The JSON object of an answer; empty when it is something else. */
export function jsonOf({ text }: Reply): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

const maxMessageLength = 120

/** An answer in a few words, without any secret: its status, and the code of its problem or the message of the gateway. */
export function brief(reply: Reply): string {
  const { code, message } = jsonOf(reply)
  const words = typeof code === 'string' ? code : typeof message === 'string' ? JSON.stringify(message) : ''
  return withoutKeys(`${reply.status} ${words}`.trim()).slice(0, maxMessageLength)
}

const isProblem = ({ headers }: Reply): boolean => headers['content-type'] === 'application/problem+json'

/** Undefined when the answer is our own problem with this status and code; else the finding. */
export function unlessProblem(reply: Reply, status: number, code: string, fix: string): Finding | undefined {
  if (reply.status === status && isProblem(reply) && jsonOf(reply).code === code) return undefined
  const type = isProblem(reply) ? '' : ` as ${reply.headers['content-type'] ?? 'no media type'}`
  return fail(`${status} ${code} as application/problem+json`, brief(reply) + type, fix)
}
