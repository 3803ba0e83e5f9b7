/** Runs the smoke checks against an API, for `npm run smoke` and for the end of a deploy. */
import { fail, runChecks, skip, type Tally } from './checks.ts'
import { smokeChecks } from './smoke-checks.ts'
import { NoAnswerError, senderOf } from './smoke-http.ts'

export interface SmokeOptions {
  /** The address of the API, without a path. */
  url: string
  /** Address for all requests, with the Host header of `url`: for an emulator. */
  connect?: string | undefined
  /** Expected stage in health. */
  stage?: string | undefined
  /** An org key with `keys:write`. Without it, the key check is skipped. */
  apiKey?: string | undefined
  /** The signing secret of the Stripe webhook. Without it, no event is sent. */
  webhookSecret?: string | undefined
  /** Checks to skip, such as preflights on an emulator. */
  skip?: readonly string[]
  print?: (line: string) => void
  /** Timeout of one request. */
  timeoutMs?: number
  /** Timeout of the run. */
  budgetMs?: number
}

const defaultTimeoutMs = 10_000
const defaultBudgetMs = 60_000

export const smokeCheckNames: readonly string[] = smokeChecks.map(({ name }) => name)

/** Runs the checks in order and prints a line for each. If the first request gets no answer, it skips the others. */
export async function runSmoke(options: SmokeOptions): Promise<Tally> {
  const { url, connect, stage, apiKey, webhookSecret, skip: skipped = [], print = console.log } = options
  const { timeoutMs = defaultTimeoutMs, budgetMs = defaultBudgetMs } = options
  const budget = AbortSignal.timeout(budgetMs)
  let answered = false
  const send = senderOf({
    ...{ url, connect, timeoutMs, signal: budget },
    onRetry: (status, waitMs) => print(`wait ${status}: retrying in ${waitMs / 1000} s`),
  })
  let unreachable: string | undefined
  return runChecks(smokeChecks, {
    context: {
      send: async (call) => {
        const reply = await send(call)
        answered = true
        return reply
      },
      ...{ stage, apiKey, webhookSecret },
    },
    print,
    explain: (error) => {
      if (!(error instanceof NoAnswerError)) return fail('a readable answer', String(error), 'report this check')
      if (!answered) unreachable = `${connect ?? url} does not answer`
      return fail('an answer', error.message, reachFix)
    },
    obstacle: (name) => {
      if (skipped.includes(name)) return skip('as asked')
      if (unreachable !== undefined) return skip(unreachable)
      return budget.aborted ? fail(`all checks within ${budgetMs / 1000} s`, 'no time left', slowFix) : undefined
    },
  })
}

const reachFix = 'check the address; a new domain name can need some minutes to resolve'
const slowFix = 'run it again: first requests start the functions'
