/** An inference gateway: checks the key of each request, counts it, passes it to a local runtime, and reports health. */
import { randomUUID } from 'node:crypto'
import { createKeyVerifier, createSettingsClient, NoAnswerError, ProblemError } from '@octomil/settings-client'
import { type Context, Hono } from 'hono'

export interface GatewayOptions {
  /** The settings API, without a path. */
  settingsUrl: string
  /** An org key with `keys:introspect`, `usage:write` and `telemetry:write`. */
  credential: string
  /** The runtime, such as Ollama: `http://127.0.0.1:11434`. */
  runtimeUrl: string
  /** Its id in the settings: `tgt_…`. */
  targetId: string
  /** How often health is reported. Default: 10,000. */
  reportEveryMs?: number
  /** Replaces `fetch` for the settings API. */
  fetch?: (request: Request) => Promise<Response>
}

export function createGateway({ runtimeUrl, targetId, reportEveryMs = 10_000, ...options }: GatewayOptions) {
  const api = {
    baseUrl: options.settingsUrl,
    credential: options.credential,
    ...(options.fetch ? { fetch: options.fetch } : {}),
  }
  const verifier = createKeyVerifier(api)
  const settings = createSettingsClient(api)
  const health = new Health(targetId)
  const reporting = setInterval(() => void report(), reportEveryMs)
  const report = () => health.send((body) => settings.POST('/api/v2/settings/execution/reports', { body }))

  const app = new Hono()
  app.all('/v1/*', async (context) => {
    const refusal = (await refuseKey(context)) ?? (await refuseOverLimit())
    return refusal ? context.json({ error: refusal.error }, refusal.status) : proxy(context)
  })
  app.onError((error, context) => {
    if (!(error instanceof ProblemError || error instanceof NoAnswerError)) throw error
    return context.json({ error: 'The settings API does not answer. Retry.' }, 503)
  })

  /** An answer is remembered for at most 30 seconds: so long a revoked key can work here. */
  async function refuseKey(context: Context) {
    const token = /^bearer +(\S+)$/i.exec(context.req.header('authorization') ?? '')?.[1] ?? ''
    const origin = context.req.header('origin')
    const verdict = await verifier.verify(token, { requiredScope: 'cloud:inference', ...(origin ? { origin } : {}) })
    if (!verdict.active) return { status: 401, error: `The API key is ${verdict.reason}.` } as const
    if (verdict.permitted) return undefined
    return { status: 403, error: `The API key may not do this: ${verdict.denied_by?.join(', ')}.` } as const
  }

  /** Counts the request before it runs: with room for one, one of many callers passes. */
  async function refuseOverLimit() {
    const record = { id: randomUUID(), metric: 'hosted_requests_monthly', add: 1 } as const
    const body = { mode: 'consume' as const, records: [record] }
    const { data } = await settings.POST('/api/v2/settings/usage/records', { body })
    return data.permitted ? undefined : ({ status: 429, error: 'The monthly limit of requests is used up.' } as const)
  }

  async function proxy({ req }: Context): Promise<Response> {
    const { pathname, search } = new URL(req.url)
    const headers = new Headers({ 'content-type': req.header('content-type') ?? 'application/json' })
    const body = req.method === 'GET' || req.method === 'HEAD' ? undefined : await req.arrayBuffer()
    const done = health.start()
    try {
      const answer = await fetch(runtimeUrl + pathname + search, {
        method: req.method,
        headers,
        ...(body ? { body } : {}),
      })
      done(answer.ok)
      return new Response(answer.body, {
        status: answer.status,
        headers: { 'content-type': answer.headers.get('content-type') ?? '' },
      })
    } catch {
      done(false)
      return Response.json({ error: 'The runtime does not answer.' }, { status: 502 })
    }
  }

  const close = async (): Promise<void> => {
    clearInterval(reporting)
    await report()
  }
  return { app, close }
}

interface Report {
  target_id: string
  started: number
  succeeded: number
  failed: number
  inflight: number
}

/** Counts since the last report. A report that fails is sent with the next one. */
class Health {
  readonly #target: { target_id: string }
  readonly #reporter = randomUUID()
  #counts = { started: 0, succeeded: 0, failed: 0 }
  #inflight = 0

  constructor(targetId: string) {
    this.#target = { target_id: targetId }
  }

  start(): (succeeded: boolean) => void {
    this.#counts.started++
    this.#inflight++
    return (succeeded) => {
      this.#counts[succeeded ? 'succeeded' : 'failed']++
      this.#inflight--
    }
  }

  async send(post: (body: { reporter_id: string; reports: Report[] }) => Promise<unknown>): Promise<void> {
    const counts = this.#counts
    this.#counts = { started: 0, succeeded: 0, failed: 0 }
    const reports = [{ ...this.#target, ...counts, inflight: this.#inflight }]
    await post({ reporter_id: this.#reporter, reports }).catch(() => {
      for (const name of ['started', 'succeeded', 'failed'] as const) this.#counts[name] += counts[name]
    })
  }
}
