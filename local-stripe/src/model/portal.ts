/** Billing portal sessions and their one configuration. */
import * as z from 'zod'
import { invalidRequest } from './api-error.ts'
import type { PortalConfiguration, PortalSession } from './objects.ts'
import { flag, oneOf, params, text, webUrl } from './params.ts'
import type { Store } from './store.ts'

const flow = z.strictObject({
  type: oneOf('payment_method_update', 'subscription_cancel', 'subscription_update'),
  subscription_cancel: z.strictObject({ subscription: text }).optional(),
  subscription_update: z.strictObject({ subscription: text }).optional(),
})

export const portalSessionCreate = params({
  customer: text,
  configuration: text.optional(),
  return_url: webUrl.optional(),
  locale: text.optional(),
  flow_data: flow.optional(),
})

export function createPortalSession(store: Store, given: z.output<typeof portalSessionCreate>): PortalSession {
  store.need('customer', given.customer, 'customer')
  const id = store.id('bps_1')
  const configuration = given.configuration
    ? store.need('billing_portal.configuration', given.configuration, 'configuration')
    : defaultConfiguration(store)
  return store.put('billing_portal.session', {
    id,
    object: 'billing_portal.session',
    configuration: configuration.id,
    created: store.now(),
    customer: given.customer,
    customer_account: null,
    flow: given.flow_data ? flowOf(store, given.flow_data) : null,
    livemode: false,
    locale: given.locale ?? null,
    on_behalf_of: null,
    return_url: given.return_url ?? configuration.default_return_url,
    url: `${store.pagesUrl}/portal/${id}`,
  })
}

function flowOf(store: Store, given: z.output<typeof flow>): PortalSession['flow'] {
  const subscription = given.subscription_cancel?.subscription ?? given.subscription_update?.subscription
  if (given.type !== 'payment_method_update' && subscription === undefined) {
    throw invalidRequest(`Missing required param: flow_data[${given.type}].`, {
      code: 'parameter_missing',
      param: `flow_data[${given.type}]`,
    })
  }
  const id = subscription && store.need('subscription', subscription, `flow_data[${given.type}][subscription]`).id
  return {
    after_completion: { hosted_confirmation: null, redirect: null, type: 'portal_homepage' },
    customer_update: null,
    subscription_cancel: given.type === 'subscription_cancel' && id ? { retention: null, subscription: id } : null,
    subscription_pause: null,
    subscription_update: given.type === 'subscription_update' && id ? { subscription: id } : null,
    subscription_update_confirm: null,
    type: given.type,
  }
}

function defaultConfiguration(store: Store): PortalConfiguration {
  return store.all('billing_portal.configuration').find(({ is_default }) => is_default) ?? createConfiguration(store)
}

/** The account's portal configuration: it allows every action of the page. */
export function createConfiguration(store: Store): PortalConfiguration {
  const now = store.now()
  return store.put('billing_portal.configuration', {
    id: store.id('bpc_1'),
    object: 'billing_portal.configuration',
    active: true,
    application: null,
    business_profile: { headline: null, privacy_policy_url: null, terms_of_service_url: null },
    created: now,
    default_return_url: null,
    features: {
      customer_update: { allowed_updates: [], enabled: false },
      invoice_history: { enabled: true },
      payment_method_update: { enabled: true, payment_method_configuration: null },
      subscription_cancel: {
        cancellation_reason: { enabled: false, feedback_options: null, options: [] },
        enabled: true,
        mode: 'at_period_end',
        proration_behavior: 'none',
      },
      subscription_pause: { duration: { interval_options: [], type: 'indefinite' }, enabled: false },
      subscription_update: {
        billing_cycle_anchor: null,
        default_allowed_updates: ['price', 'quantity'],
        enabled: true,
        proration_behavior: 'always_invoice',
        schedule_at_period_end: { conditions: [] },
        trial_update_behavior: 'continue_trial',
      },
    },
    is_default: true,
    livemode: false,
    login_page: { enabled: false, url: null },
    metadata: {},
    name: null,
    updated: now,
  })
}

export const configurationFilters = { active: flag.optional(), is_default: flag.optional() }
