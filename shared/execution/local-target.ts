/** Local targets: inference runtimes that an organization hosts. The request fields, the record and its view. */
import * as z from 'zod'
import { nameField } from '../fields.ts'
import { idPattern } from '../ids.ts'
import { lazy } from '../lazy.ts'
import { apiRootField } from '../outbound/rules.ts'
import { clearable } from '../patch-fields.ts'
import { invalidInput } from '../problem.ts'
import { headerSecretField } from '../providers/key-fields.ts'
import { modelIdPattern, modelIdRule } from '../providers/model-id.ts'
import { environment } from '../runtime/environment.ts'
import { secretNeeded } from '../secrets/destination.ts'
import type { StoredRecord } from '../storage/record.ts'
import { choiceDefaults, choiceFields } from '../target-fields.ts'

export const runtimes = ['ollama', 'vllm', 'llamacpp', 'tgi', 'openai_compatible'] as const
export type Runtime = (typeof runtimes)[number]

/** The id of the target that the deployment configures. */
export const envTargetId = 'env'

export const targetIdField = lazy(() =>
  z
    .string()
    .regex(new RegExp(`${idPattern('tgt').source}|^${envTargetId}$`), 'must be an id that starts with tgt_, or env')
    .meta({ description: 'Id of the target; `env` is the target that the deployment configures.' }),
)

/** One answer lists all targets of an organization, and Lambda responses have at most 6 MB. */
const maxModelBytes = 8192
const fitTogether = (models: readonly string[]): boolean =>
  models.reduce((bytes, model) => bytes + Buffer.byteLength(model), 0) <= maxModelBytes

const modelField = lazy(() => z.string().regex(modelIdPattern, modelIdRule))

export const localTargetFields = lazy(() => ({
  name: nameField(),
  endpoint: apiRootField().meta({ description: 'Root URL of the runtime, http or https.' }),
  runtime: z.enum(runtimes).meta({ description: 'The software that serves; it decides how the target is tested.' }),
  models: z
    .array(modelField())
    .max(50)
    .refine(fitTogether, `must not exceed ${maxModelBytes} bytes in total`)
    .meta({ description: `Models that it serves, at most ${maxModelBytes} bytes in total; empty: unknown.` }),
  ...choiceFields(),
  enabled: z.boolean().meta({ description: 'Whether inference may use the target.' }),
}))

export const createLocalTargetBody = lazy(() => {
  const { name, endpoint, runtime, models, priority, weight, enabled } = localTargetFields()
  return z.strictObject({
    ...{ name, endpoint, runtime },
    models: models.default([]),
    priority: priority.default(choiceDefaults.priority),
    weight: weight.default(choiceDefaults.weight),
    enabled: enabled.default(true),
    api_key: headerSecretField().optional(),
  })
})

/** Null clears the list of models and deletes the key. */
export const patchLocalTargetFields = lazy(() => ({
  ...localTargetFields(),
  models: clearable(localTargetFields().models, []).meta({
    description: 'Models that it serves; empty or null: unknown.',
  }),
  api_key: headerSecretField()
    .nullable()
    .meta({ description: 'Write-only: answers show `masked`; null deletes the stored key.' }),
}))

export const localTargetSchema = lazy(() =>
  z
    .object({
      id: targetIdField(),
      source: z.enum(['api', 'env']).meta({ description: '`env`: configured by the deployment, read-only.' }),
      ...localTargetFields(),
      endpoint: z.string(),
      masked: z.string().nullable().meta({ description: 'The mask of its API key; null when it has none.' }),
      key_version: z.int().min(0).meta({ description: 'Counts the keys that this target has had.' }),
      last_verified_at: z.iso.datetime().nullable().meta({ description: 'When a test last succeeded.' }),
      verification_latency_ms: z.int().nullable().meta({ description: 'Of the last test that succeeded.' }),
      verification_error: z.string().nullable().meta({ description: 'Why the last test failed.' }),
      created_at: z.iso.datetime().nullable(),
      updated_at: z.iso.datetime().nullable(),
    })
    .meta({ id: 'LocalTarget', description: 'An inference runtime that the organization hosts.' }),
)

export type LocalTargetView = z.infer<ReturnType<typeof localTargetSchema>>
export type LocalTargetRecord = Omit<LocalTargetView, 'source' | 'created_at' | 'updated_at'> &
  StoredRecord & { ciphertext: Uint8Array | null }

export const toLocalTargetView = (target: LocalTargetRecord): LocalTargetView => ({
  id: target.id,
  source: 'api',
  name: target.name,
  endpoint: target.endpoint,
  runtime: target.runtime,
  models: target.models,
  priority: target.priority,
  weight: target.weight,
  enabled: target.enabled,
  masked: target.masked,
  key_version: target.key_version,
  last_verified_at: target.last_verified_at,
  verification_latency_ms: target.verification_latency_ms,
  verification_error: target.verification_error,
  created_at: target.created_at,
  updated_at: target.updated_at,
})

/** The fields that an event shows. Latencies are not settings. */
export const toAuditFields = (target: LocalTargetRecord) => {
  const { id: _id, source: _source, created_at: _created, updated_at: _updated, ...shown } = toLocalTargetView(target)
  const { verification_latency_ms: _latency, ...audited } = shown
  return audited
}

export type TargetVerification = Pick<
  LocalTargetView,
  'last_verified_at' | 'verification_latency_ms' | 'verification_error'
>

/** The verification of an untested target. */
export const untested: TargetVerification = {
  last_verified_at: null,
  verification_latency_ms: null,
  verification_error: null,
}

/** The target that the deployment configures, the same for every org; undefined if there is none. */
export function envTarget(): LocalTargetView | undefined {
  const endpoint = environment('localRuntimeUrl')
  if (endpoint === undefined) return undefined
  const named = environment('localRuntime')
  return {
    id: envTargetId,
    source: 'env',
    name: 'Runtime of this deployment',
    endpoint: endpoint.replace(/\/+$/, ''),
    runtime: runtimes.find((runtime) => runtime === named) ?? 'openai_compatible',
    models: [],
    // After all targets that the organization has registered.
    priority: 1000,
    weight: 0,
    enabled: true,
    masked: null,
    key_version: 0,
    ...untested,
    created_at: null,
    updated_at: null,
  }
}

/** A URL that a runtime answers without doing work: its list of models, or its description. */
export function probeUrl({ endpoint, runtime }: Pick<LocalTargetView, 'endpoint' | 'runtime'>): string {
  const root = endpoint.replace(/\/+$/, '')
  const { pathname } = new URL(root)
  // The native paths are beside the OpenAI-like ones, which end in /v1.
  if (runtime === 'tgi') return `${root.replace(/\/v1$/, '')}/info`
  if (runtime === 'ollama') return root.endsWith('/api') ? `${root}/tags` : `${root.replace(/\/v1$/, '')}/api/tags`
  // A URL with a path is the root of the API. A bare host has the API under /v1.
  return pathname === '/' ? `${root}/v1/models` : `${root}/models`
}

/**
 * The verification after a patch. A new endpoint, runtime or key resets it.
 *
 * @throws ProblemError `invalid_input` when a stored key would be sent to a new endpoint
 */
export function endpointKept(
  before: LocalTargetRecord,
  {
    endpoint,
    runtime,
    api_key,
  }: { endpoint?: string | undefined; runtime?: Runtime | undefined; api_key?: object | null | undefined },
): TargetVerification {
  const moved = endpoint !== undefined && endpoint !== before.endpoint
  if (moved && before.ciphertext !== null && api_key === undefined)
    throw invalidInput([secretNeeded('api_key', 'endpoint')])
  const keyChanged = api_key === null ? before.ciphertext !== null : api_key !== undefined
  const otherwise = moved || keyChanged || (runtime !== undefined && runtime !== before.runtime)
  if (otherwise) return untested
  const { last_verified_at, verification_latency_ms, verification_error } = before
  return { last_verified_at, verification_latency_ms, verification_error }
}
