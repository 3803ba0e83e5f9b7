/** Asking a local runtime whether it is there, as its address is reached from where this service runs. */
import { call, OutboundError } from '../outbound/call.ts'
import { open } from '../secrets/open.ts'
import { type LocalTarget, probeUrl } from './local-target.ts'
import { keyOf } from './local-target-entity.ts'

export interface Probe {
  success: boolean
  latency_ms: number
  status_code: number | null
  error: string | null
}

type Probed = Pick<LocalTarget, 'id' | 'endpoint' | 'runtime' | 'ciphertext'>

/** Whatever goes wrong is the answer; nothing is thrown for it. */
export async function probe(orgId: string, target: Probed): Promise<Probe> {
  const key = target.ciphertext ? await open(target.ciphertext, keyOf(orgId, target.id)) : undefined
  const started = performance.now()
  try {
    const answer = await call(probeUrl(target), key ? { authorization: `Bearer ${key.reveal()}` } : {})
    const { status, latencyMs } = answer
    const success = status >= 200 && status < 300
    const error = success ? null : `The runtime answered ${status}.`
    return { success, latency_ms: latencyMs, status_code: status, error }
  } catch (error) {
    if (!(error instanceof OutboundError)) throw error
    const latency_ms = Math.round(performance.now() - started)
    return { success: false, latency_ms, status_code: error.status, error: error.message }
  }
}
