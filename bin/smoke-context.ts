/** Context of every smoke check. */
import { withoutKeys } from '../shared/pasted-credentials.ts'
import { type Check, type Finding, fail } from './checks.ts'
import type { Reply, Send } from './smoke-http.ts'

export interface SmokeContext {
  send: Send
  /** Expected stage in health; undefined accepts any. */
  stage: string | undefined
  /** An org key with `keys:write`. */
  apiKey: string | undefined
  /** The signing secret of the Stripe webhook. */
  webhookSecret: string | undefined
}

export type SmokeCheck = Check<SmokeContext>

/** The JSON object of an answer; empty for any other body. */
export function jsonOf({ text }: Reply): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

const maxMessageLength = 120

/** A short summary of an answer without secrets: status, and the problem's code or the gateway's message. */
export function brief(reply: Reply): string {
  const { code, message } = jsonOf(reply)
  const words = typeof code === 'string' ? code : typeof message === 'string' ? JSON.stringify(message) : ''
  return withoutKeys(`${reply.status} ${words}`.trim()).slice(0, maxMessageLength)
}

const isProblem = ({ headers }: Reply): boolean => headers['content-type'] === 'application/problem+json'

/** Undefined if the answer is our problem with this status and code; otherwise the finding. */
export function unlessProblem(reply: Reply, status: number, code: string, fix: string): Finding | undefined {
  if (reply.status === status && isProblem(reply) && jsonOf(reply).code === code) return undefined
  const type = isProblem(reply) ? '' : ` as ${reply.headers['content-type'] ?? 'no media type'}`
  return fail(`${status} ${code} as application/problem+json`, brief(reply) + type, fix)
}
