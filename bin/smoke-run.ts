/** Runs the smoke checks against an API, for `npm run smoke` and for the end of a deploy. */
import { fail, runChecks, skip, type Tally } from './checks.ts'
import { smokeChecks } from './smoke-checks.ts'
import { NoAnswerError, senderOf } from './smoke-http.ts'

export interface SmokeOptions {
  /** The address of the API, without a path. */
  url: string
  /** Where requests go instead, with the Host header of `url`: for an emulator. */
  connect?: string | undefined
  /** The stage that health must name. */
  stage?: string | undefined
  /** An org key that holds `keys:write`; without it no key is made. */
  apiKey?: string | undefined
  /** The signing secret of the Stripe webhook; without it no event is sent. */
  webhookSecret?: string | undefined
  /** Names of checks that this target cannot pass, such as an emulator's preflights. */
  skip?: readonly string[]
  print?: (line: string) => void
  /** For one request. */
  timeoutMs?: number
  /** For the whole run. */
  budgetMs?: number
}

const defaultTimeoutMs = 10_000
const defaultBudgetMs = 60_000

export const smokeCheckNames: readonly string[] = smokeChecks.map(({ name }) => name)

/** Runs the checks in order and prints a line for each. When the first request gets no answer, the others are skipped. */
export async function runSmoke(options: SmokeOptions): Promise<Tally> {
  const { url, connect, stage, apiKey, webhookSecret, skip: skipped = [], print = console.log } = options
  const { timeoutMs = defaultTimeoutMs, budgetMs = defaultBudgetMs } = options
  const budget = AbortSignal.timeout(budgetMs)
  let answered = false
  const send = senderOf({
    ...{ url, connect, timeoutMs, signal: budget },
    onRetry: (status, waitMs) => print(`wait ${status}: asking again in ${waitMs / 1000} s`),
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
      if (!(error instanceof NoAnswerError))
        return fail('an answer that can be read', String(error), 'report this check')
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

const reachFix = 'check the address; a new domain name can take some minutes until it resolves'
const slowFix = 'run it again: first requests start the functions'
