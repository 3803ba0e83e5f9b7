/** The plans of the product. Stripe has the prices. `null`: no limit. */

export const planCodes = ['free', 'team', 'enterprise'] as const
export type PlanCode = (typeof planCodes)[number]

export const planFeatures = [
  'federated_learning',
  'experiments',
  'rollouts',
  'sso',
  'advanced_monitoring',
  'webhooks',
  'differential_privacy',
  'secure_aggregation',
  'hipaa_mode',
  'scim',
  'siem_export',
] as const
export type PlanFeature = (typeof planFeatures)[number]

export interface PlanLimits {
  max_devices: number | null
  max_models: number | null
  max_environments: number | null
  storage_gb: number | null
  requests_monthly: number | null
  training_rounds_monthly: number | null
  federated_rounds_monthly: number | null
  model_downloads_monthly: number | null
  model_conversions_monthly: number | null
  data_retention_days: number | null
}

export interface Plan {
  code: PlanCode
  name: string
  limits: PlanLimits
  features: readonly PlanFeature[]
}

export const plans: Record<PlanCode, Plan> = {
  free: {
    code: 'free',
    name: 'Developer',
    limits: {
      max_devices: 25,
      max_models: 3,
      max_environments: 1,
      storage_gb: 5,
      requests_monthly: 100_000,
      training_rounds_monthly: 100,
      federated_rounds_monthly: 1,
      model_downloads_monthly: 2500,
      model_conversions_monthly: 20,
      data_retention_days: 7,
    },
    features: planFeatures.slice(0, 3),
  },
  team: {
    code: 'team',
    name: 'Team',
    limits: {
      max_devices: 1000,
      max_models: 20,
      max_environments: 3,
      storage_gb: 100,
      requests_monthly: 1_000_000,
      training_rounds_monthly: 10_000,
      federated_rounds_monthly: 10,
      model_downloads_monthly: 50_000,
      model_conversions_monthly: 500,
      data_retention_days: 90,
    },
    features: planFeatures.slice(0, 6),
  },
  enterprise: {
    code: 'enterprise',
    name: 'Enterprise',
    limits: {
      max_devices: null,
      max_models: null,
      max_environments: null,
      storage_gb: 10_000,
      requests_monthly: 100_000_000,
      training_rounds_monthly: null,
      federated_rounds_monthly: null,
      model_downloads_monthly: null,
      model_conversions_monthly: null,
      data_retention_days: null,
    },
    features: planFeatures,
  },
}

/** The cheapest plan that meets a condition, for errors that name it; undefined if none does. */
export const cheapestPlan = (fulfils: (plan: Plan) => boolean): Plan | undefined =>
  planCodes.map((code) => plans[code]).find(fulfils)
