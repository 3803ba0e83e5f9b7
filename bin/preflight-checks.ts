/** The checks of an account before a deploy, as a list. They change nothing. */
import { type Finding, fail, runChecks, skip, type Tally, warn } from './checks.ts'
import { bootstrap, concurrency, credentials, region, stacks } from './preflight-aws.ts'
import {
  NotPermittedError,
  type PreflightCheck,
  type PreflightContext,
  type PreflightSettings,
} from './preflight-context.ts'
import { certificate, front, hostedZone } from './preflight-domain.ts'
import { stripeSecret, stripeSecretValue } from './preflight-secret.ts'
import { stripeAccount, stripePrices, stripeWebhook } from './preflight-stripe.ts'

/** In the order in which they run: the others need the results of the first two. */
const preflightChecks: readonly PreflightCheck[] = [
  { name: 'region', run: region },
  { name: 'credentials', run: credentials },
  { name: 'bootstrap', run: bootstrap },
  { name: 'concurrency', run: concurrency },
  { name: 'stacks', run: stacks },
  { name: 'front', run: front },
  { name: 'certificate', run: certificate },
  { name: 'hosted-zone', run: hostedZone },
  { name: 'stripe-secret', run: stripeSecret },
  { name: 'stripe-secret-value', run: stripeSecretValue },
  { name: 'stripe-account', run: stripeAccount },
  { name: 'stripe-prices', run: stripePrices },
  { name: 'stripe-webhook', run: stripeWebhook },
]

export const preflightCheckNames: readonly string[] = preflightChecks.map(({ name }) => name)

/** Runs the checks in order and prints a line for each. A missing permission is a warning. */
export async function runPreflight(
  settings: PreflightSettings,
  { print = console.log }: { print?: (line: string) => void } = {},
): Promise<Tally> {
  const context: PreflightContext = { settings }
  return runChecks(preflightChecks, {
    context,
    print,
    explain,
    obstacle: (name) => {
      if (name === 'region') return undefined
      if (context.region === undefined) return skip('no region')
      return name === 'credentials' || context.account !== undefined ? undefined : skip('no credentials')
    },
  })
}

function explain(error: unknown): Finding {
  if (error instanceof NotPermittedError)
    return warn(`could not check: needs ${error.message}`, 'grant this action to your role, or check it in the console')
  const { name = 'Error', message = '', type } = error as Partial<Error & { type: string }>
  if (type === 'StripeAuthenticationError')
    return fail('a key that Stripe accepts', type, 'put a valid secret_key into the Stripe secret')
  if (type === 'StripePermissionError')
    return warn(
      'could not check: the Stripe key may not read this',
      'grant this action to the restricted key, or check it in the dashboard',
    )
  return fail('an answer', type ?? `${name}: ${message}`, 'run it again; if it stays, look at the network')
}
