/** Execution in the records of the published contract. */
import * as z from 'zod'
import type { CloudTarget } from '../../shared/execution/cloud-target.ts'
import type { LocalTargetView } from '../../shared/execution/local-target.ts'
import type { ExecutionHealth } from '../../shared/execution/report.ts'
import type { Routing } from '../../shared/execution/routing.ts'
import { named, optional, publishedName, wire } from '../../shared/http/published.ts'
import { lazy } from '../../shared/lazy.ts'
import type { InputFault } from '../../shared/problem.ts'
import { isModelId, modelIdRule } from '../../shared/providers/model-id.ts'

/** The published contract has three strategies. Each of ours maps to the most similar one. */
const toStrategy = {
  priority: 'ordered_failover',
  weighted: 'weighted_shuffle',
  round_robin: 'weighted_shuffle',
  least_inflight: 'least_busy',
  lowest_latency: 'least_busy',
} as const satisfies Record<Routing['strategy'], string>

const fromStrategy = {
  ordered_failover: 'priority',
  weighted_shuffle: 'weighted',
  least_busy: 'least_inflight',
} as const

const statusOf = (active: boolean) => (active ? 'active' : 'disabled')

const toLocalTarget = (target: LocalTargetView) => ({
  id: target.id,
  label: target.name,
  endpoint: target.endpoint,
  model: target.models[0] ?? '',
  protocol: target.runtime,
  status: statusOf(target.enabled),
  routing_priority: target.priority,
  is_env_fallback: target.source === 'env',
  last_verified_at: target.last_verified_at,
  verification_latency_ms: target.verification_latency_ms,
  last_verification_error: target.verification_error,
})

/** The published record has no field for ineligibility, so an ineligible target appears disabled. */
const toCloudTarget = (target: CloudTarget) => ({
  target_id: target.id,
  provider: target.provider,
  connection_type: 'byok',
  connection_id: target.kind === 'connection' ? target.id : null,
  status: statusOf(target.eligible),
  routing_priority: target.priority,
  routing_weight: target.weight,
  rpm_limit: target.rpm_limit ?? 0,
  tpm_limit: target.tpm_limit ?? 0,
})

interface Execution {
  local_targets: LocalTargetView[]
  cloud_targets: CloudTarget[]
  routing: Routing
}

export const executionView = lazy(() =>
  wire({
    toAnswer: ({ local_targets, cloud_targets, routing }: Execution) => ({
      local_targets: local_targets.map(toLocalTarget),
      cloud_targets: cloud_targets.map(toCloudTarget),
      routing_strategy: toStrategy[routing.strategy],
      cooldown_seconds: routing.cooldown_seconds,
    }),
  }),
)

const toHealth = (target: ExecutionHealth['data'][number], asOfMs: number) => ({
  target_id: target.target_id,
  target_type: target.kind === 'local' ? 'local' : 'cloud',
  provider: target.provider,
  cooldown_remaining: target.cooldown.until === null ? 0 : (Date.parse(target.cooldown.until) - asOfMs) / 1000,
  rpm: Math.round(target.request_rate_per_minute),
  tpm: Math.round(target.token_rate_per_minute),
  inflight: target.inflight,
  successes: target.succeeded,
  failures: target.failed,
  failure_rate: target.failure_rate ?? 0,
  last_verified_at: target.last_verified_at,
  verification_latency_ms: target.verification_latency_ms,
  last_verification_error: target.verification_error,
})

export const healthView = lazy(() =>
  wire({
    toAnswer: ({ data, routing, as_of }: ExecutionHealth) => ({
      targets: data.map((target) => toHealth(target, Date.parse(as_of))),
      strategy: toStrategy[routing.strategy],
      cooldown_seconds: routing.cooldown_seconds,
    }),
  }),
)

const targetNames = {
  name: 'label',
  models: 'model',
  runtime: 'protocol',
  priority: 'routing_priority',
  enabled: 'status',
}

/** Empty: unknown. */
const modelField = () =>
  optional(z.string().refine((model) => model === '' || isModelId(model), { error: modelIdRule }))

const modelsOf = (model: string): string[] => (model === '' ? [] : [model])

export const localTargetList = lazy(() => wire({ names: targetNames, toAnswer: toLocalTarget }))

export const localTargetCreation = lazy(() =>
  wire({
    body: z.strictObject({
      label: publishedName(),
      endpoint: z.string(),
      model: modelField(),
      protocol: optional(z.string()),
      routing_priority: optional(z.int()),
    }),
    names: targetNames,
    toInput: ({ label, endpoint, model, protocol, routing_priority }) => ({
      name: label,
      endpoint,
      models: modelsOf(model ?? ''),
      runtime: protocol ?? 'openai_compatible',
      priority: routing_priority ?? 0,
    }),
    toAnswer: toLocalTarget,
  }),
)

/** The published contract has no keys of local targets. */
const keyNeeded = (fault: InputFault): InputFault =>
  fault.path === 'api_key'
    ? {
        path: 'endpoint',
        code: 'not_allowed',
        message: 'cannot change while a key is stored; change it with the key, at /api/v2',
      }
    : fault

export const localTargetPatch = lazy(() =>
  wire({
    body: z.strictObject({
      label: optional(publishedName()),
      endpoint: optional(z.string()),
      model: modelField(),
      protocol: optional(z.string()),
      status: optional(z.enum(['active', 'disabled'])),
      routing_priority: optional(z.int()),
    }),
    names: targetNames,
    toInput: ({ label, endpoint, model, protocol, status, routing_priority }) =>
      named({
        name: label,
        endpoint,
        models: typeof model === 'string' ? modelsOf(model) : undefined,
        runtime: protocol,
        enabled: status ? status === 'active' : undefined,
        priority: routing_priority,
      }),
    toFault: keyNeeded,
    toAnswer: toLocalTarget,
  }),
)

export const routingPatch = lazy(() =>
  wire({
    body: z.strictObject({
      cloud_routing_strategy: optional(z.enum(['ordered_failover', 'weighted_shuffle', 'least_busy'])),
      cloud_cooldown_seconds: optional(z.int().min(0)),
    }),
    names: { strategy: 'cloud_routing_strategy', cooldown_seconds: 'cloud_cooldown_seconds' },
    toInput: ({ cloud_routing_strategy, cloud_cooldown_seconds }) =>
      named({
        strategy: cloud_routing_strategy ? fromStrategy[cloud_routing_strategy] : undefined,
        cooldown_seconds: cloud_cooldown_seconds,
      }),
    toAnswer: ({ strategy, cooldown_seconds }: Routing) => ({
      cloud_routing_strategy: toStrategy[strategy],
      cloud_cooldown_seconds: cooldown_seconds,
    }),
  }),
)
