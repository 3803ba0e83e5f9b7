/** Preflight checks of the Stripe account: mode, prices, and the webhook endpoint. They need a readable secret. */
import type Stripe from 'stripe'
import { outputNames } from '../lib/stage.ts'
import { stripeEventTypes } from '../shared/stripe-events/event.ts'
import { type Finding, fail, ok, skip, warn } from './checks.ts'
import { outputsOf } from './command.ts'
import { type PreflightContext, permitted } from './preflight-context.ts'

const noKey = 'no Stripe key could be read'

/** Runs a check with the client, or skips it without one. The Stripe CLI works in test mode unless asked. */
const withStripe =
  (run: (stripe: Stripe, context: PreflightContext) => Promise<Finding>) =>
  async (context: PreflightContext): Promise<Finding> => {
    if (!context.stripe) return skip(noKey)
    const finding = await run(context.stripe, context)
    const isCommand = 'fix' in finding && finding.fix.startsWith('stripe ')
    return isCommand && context.livemode ? { ...finding, fix: `${finding.fix} --live` } : finding
  }

export const stripeAccount = withStripe(async (stripe, { settings: { retainData }, livemode }) => {
  const named = `${livemode ? 'live' : 'test'} mode of ${await accountOf(stripe)}`
  if (livemode === retainData) return ok(named)
  return livemode
    ? warn(`${named}, in a stage whose data can be deleted`, 'store a test key in the secret')
    : warn(`${named}, in a stage that keeps its data`, 'store a live key in the secret before you sell')
})

/** A restricted key may not read its account. */
const accountOf = (stripe: Stripe): Promise<string> =>
  stripe.accounts.retrieveCurrent().then(
    ({ id }) => id,
    (error: { type?: string }) => {
      if (error.type === 'StripePermissionError') return 'an account that the key may not read'
      throw error
    },
  )

/** Lookup keys of the prices that shared/billing/checkout.ts sells. */
const soldPrices = [
  { lookupKey: 'octomil_team_monthly', plan: 'team', interval: 'month' },
  { lookupKey: 'octomil_team_annual', plan: 'team', interval: 'year' },
] as const
type SoldPrice = (typeof soldPrices)[number]

export const stripePrices = withStripe(async (stripe) => {
  const { data } = await stripe.prices.list({
    lookup_keys: soldPrices.map(({ lookupKey }) => lookupKey),
    expand: ['data.product'],
    limit: 100,
  })
  const findings = soldPrices.map((sold) =>
    judgePrice(
      sold,
      data.find(({ lookup_key }) => lookup_key === sold.lookupKey),
    ),
  )
  const bad = findings.find(({ verdict }) => verdict === 'FAIL') ?? findings.find(({ verdict }) => verdict === 'warn')
  return bad ?? ok(soldPrices.map(({ lookupKey }) => lookupKey).join(', '))
})

function judgePrice({ lookupKey, plan, interval }: SoldPrice, price: Stripe.Price | undefined): Finding {
  const create = `stripe prices create -d product=prod_… -d currency=usd -d unit_amount=… -d "recurring[interval]=${interval}" -d lookup_key=${lookupKey} -d "metadata[octomil_plan]=${plan}"`
  if (!price) return fail(`a price with the lookup key ${lookupKey}`, 'none', create)
  if (!price.active)
    return fail(`${lookupKey} active`, `${price.id} inactive`, `stripe prices update ${price.id} -d active=true`)
  const { recurring, product } = price
  if (recurring?.interval !== interval || recurring.interval_count !== 1)
    return fail(`${lookupKey} for each ${interval}`, `${price.id} for ${intervalOf(price)}`, move(price, create))
  if (typeof product === 'object' && !product.deleted && !product.active)
    return fail(`an active product`, `${product.id} inactive`, `stripe products update ${product.id} -d active=true`)
  const named = price.metadata.octomil_plan ?? planOfProduct(price)
  if (named === plan) return ok()
  // The lookup key takes precedence. If it moves to a newer price, the metadata still names the plan.
  return warn(
    `${price.id} (${lookupKey}) has octomil_plan ${named ?? 'absent'} in its metadata, so it loses its plan with its lookup key`,
    `stripe prices update ${price.id} -d "metadata[octomil_plan]=${plan}"`,
  )
}

const intervalOf = ({ recurring }: Stripe.Price): string =>
  recurring ? `each ${recurring.interval_count} ${recurring.interval}` : 'one payment'

const move = ({ lookup_key }: Stripe.Price, create: string): string =>
  create.replace(`lookup_key=${lookup_key}`, `lookup_key=${lookup_key} -d transfer_lookup_key=true`)

const planOfProduct = ({ product }: Stripe.Price): string | undefined =>
  typeof product === 'object' && !product.deleted ? product.metadata.octomil_plan : undefined

const webhookPath = '/api/v1/webhooks/stripe'

export const stripeWebhook = withStripe(async (stripe, context) => {
  const data = await endpointsOf(stripe, context)
  if (!data) return skip('the double of Stripe at stripe_api_url has no webhook endpoints')
  const host = await hostOf(context)
  const endpoint = data.find(({ url }) => leadsTo(url, host))
  const address = `https://${host ?? '<ApiUrl>'}${webhookPath}`
  if (!endpoint) {
    const { partnerSource } = context.settings.stripe
    if (partnerSource !== undefined) return ok(`no endpoint; events come from ${partnerSource}`)
    const types = stripeEventTypes.map((type, index) => `-d "enabled_events[${index}]=${type}"`).join(' ')
    return warn(
      `no webhook endpoint at ${address}; billing then lags by up to an hour`,
      `stripe webhook_endpoints create -d url=${address} ${types}`,
    )
  }
  if (endpoint.status !== 'enabled')
    return fail(
      `${endpoint.id} enabled`,
      endpoint.status,
      `stripe webhook_endpoints update ${endpoint.id} -d disabled=false`,
    )
  return judgeEvents(endpoint)
})

/** Undefined if a Stripe double does not support the call. */
const endpointsOf = (stripe: Stripe, { settings }: PreflightContext): Promise<Stripe.WebhookEndpoint[] | undefined> =>
  stripe.webhookEndpoints.list({ limit: 100 }).then(
    ({ data }) => data,
    (error: { type?: string }) => {
      if (settings.stripe.apiUrl !== undefined && error.type === 'StripeInvalidRequestError') return undefined
      throw error
    },
  )

function judgeEvents({ id, enabled_events: enabled }: Stripe.WebhookEndpoint): Finding {
  const missing = stripeEventTypes.filter((type) => !enabled.includes(type) && !enabled.includes('*'))
  if (missing.length === 0) return ok(id)
  const all = [...new Set([...enabled, ...stripeEventTypes])].map(
    (type, index) => `-d "enabled_events[${index}]=${type}"`,
  )
  return fail(
    `${id} with all ${stripeEventTypes.length} event types`,
    `it without ${missing.join(', ')}`,
    `stripe webhook_endpoints update ${id} ${all.join(' ')}`,
  )
}

/** The host of the stage's API: its domain, or the address of an earlier deploy. */
async function hostOf({ settings: { stage, customDomain } }: PreflightContext): Promise<string | undefined> {
  if (customDomain) return customDomain.domainName
  const outputs = await permitted('cloudformation:DescribeStacks', outputsOf(stage, 'Api'))
  const url = outputs?.[outputNames.apiUrl]
  return url === undefined ? undefined : new URL(url).host
}

/** Before the first deploy the host is unknown, so an endpoint of any host may be the stage's. */
function leadsTo(url: string, host: string | undefined): boolean {
  if (!URL.canParse(url)) return false
  const { pathname, host: its } = new URL(url)
  return pathname === webhookPath && (host === undefined || its === host)
}
