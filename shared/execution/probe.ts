/** Probes a local runtime from the network of this service. */
import { call, type OutboundAnswer, OutboundError } from '../outbound/call.ts'
import { diagnostic } from '../outbound/diagnostic.ts'
import { openAiIds } from '../providers/providers.ts'
import { parsed, textOf, wordsIn } from '../providers/verify.ts'
import { decrypt } from '../secrets/decrypt.ts'
import type { Secret } from '../secrets/secret.ts'
import { type LocalTargetRecord, probeUrl, type Runtime } from './local-target.ts'
import { keyOf } from './local-target-entity.ts'

export interface Probe {
  success: boolean
  latency_ms: number
  status_code: number | null
  error: string | null
}

type Probed = Pick<LocalTargetRecord, 'id' | 'endpoint' | 'runtime' | 'ciphertext'>

/** The answer that each runtime gives: llama.cpp, vLLM and others list models as OpenAI does. */
const isItsAnswer: Readonly<Record<Runtime, (answer: unknown) => boolean>> = {
  ollama: (answer) => Array.isArray((answer as { models?: unknown } | null)?.models),
  tgi: (answer) => typeof (answer as { model_id?: unknown } | null)?.model_id === 'string',
  vllm: (answer) => openAiIds(answer) !== undefined,
  llamacpp: (answer) => openAiIds(answer) !== undefined,
  openai_compatible: (answer) => openAiIds(answer) !== undefined,
}

/** Why an answer is not from the runtime; null if it is. */
function faultOf(runtime: Runtime, { status, body, contentType }: OutboundAnswer, key: Secret | undefined) {
  const text = textOf(body)
  const answer = parsed(text)
  const isSuccess = status >= 200 && status < 300
  if (isSuccess && isItsAnswer[runtime](answer)) return null
  const said = wordsIn(answer, text, contentType)
  const words = said === undefined ? '' : `: ${diagnostic(said, key ? [key] : [])}`
  return isSuccess
    ? `The endpoint answered ${status}, but it is not ${runtime}: got ${contentType || 'no content type'} instead of its JSON${words}`
    : `The runtime answered ${status}${words || '.'}`
}

/** Probes a target. A failure of the target is a result, not an error. */
export async function probe(orgId: string, target: Probed): Promise<Probe> {
  const key = target.ciphertext ? await decrypt(target.ciphertext, keyOf(orgId, target.id)) : undefined
  const started = performance.now()
  try {
    const answer = await call(probeUrl(target), key ? { authorization: `Bearer ${key.reveal()}` } : {})
    const { status, latencyMs } = answer
    const error = faultOf(target.runtime, answer, key)
    return { success: error === null, latency_ms: latencyMs, status_code: status, error }
  } catch (error) {
    if (!(error instanceof OutboundError)) throw error
    const latency_ms = Math.round(performance.now() - started)
    return { success: false, latency_ms, status_code: error.status, error: error.message }
  }
}
