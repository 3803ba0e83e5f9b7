/** Asking a local runtime whether it is there, as its address is reached from where this service runs. */
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

/** What each runtime answers when it is there: llama.cpp, vLLM and others list models as OpenAI does. */
const isItsAnswer: Readonly<Record<Runtime, (answer: unknown) => boolean>> = {
  ollama: (answer) => Array.isArray((answer as { models?: unknown } | null)?.models),
  tgi: (answer) => typeof (answer as { model_id?: unknown } | null)?.model_id === 'string',
  vllm: (answer) => openAiIds(answer) !== undefined,
  llamacpp: (answer) => openAiIds(answer) !== undefined,
  openai_compatible: (answer) => openAiIds(answer) !== undefined,
}

/** Why an answer is no sign of the runtime; null when it is one. */
function faultOf(runtime: Runtime, { status, body, contentType }: OutboundAnswer, key: Secret | undefined) {
  const text = textOf(body)
  const answer = parsed(text)
  const isSuccess = status >= 200 && status < 300
  if (isSuccess && isItsAnswer[runtime](answer)) return null
  const said = wordsIn(answer, text, contentType)
  const words = said === undefined ? '' : `: ${diagnostic(said, key ? [key] : [])}`
  return isSuccess
    ? `What answered ${status} is not ${runtime}: its JSON was expected, ${contentType || 'nothing'} came${words}`
    : `The runtime answered ${status}${words || '.'}`
}

/** Whatever goes wrong is the answer; nothing is thrown for it. */
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
