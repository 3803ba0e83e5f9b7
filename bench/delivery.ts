/** From the answer of a change to the arrival of its event at a webhook, both on loopback. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { median, ms, percentile, type Report } from './report.ts'
import { type ServerProcess, startServer } from './server-process.ts'

const changes = 100
const warmUp = 10
const budgetMs = 3000
const giveUpMs = 30_000

export async function measureDelivery(): Promise<Report> {
  const started = await startServer(new URL('local-service.ts', import.meta.url).pathname)
  const arrivals = new Map<string, number>()
  const receiver = await startReceiver(arrivals)
  try {
    // Not limited to 100 requests a minute.
    const body = { name: 'busy', scopes: ['admin:write'], rate_limit_per_minute: 10_000 }
    const service = { url: started.url, key: (await post(started, 'api-keys', body)).api_key }
    const { port } = receiver.address() as AddressInfo
    const config = { url: `http://127.0.0.1:${port}/hook`, signing_secret: 'a-secret-of-the-bench' }
    await post(service, 'integrations', { type: 'webhook', name: 'bench', config, event_types: ['api_key.created'] })
    await timesOf(service, arrivals, warmUp)
    return reportOf(await timesOf(service, arrivals, changes))
  } finally {
    receiver.close()
    receiver.closeAllConnections()
    started.stop()
  }
}

/** Notes when the event of each new key arrived first. */
async function startReceiver(arrivals: Map<string, number>): Promise<Server> {
  const server = createServer(async (request, response) => {
    const at = performance.now()
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { data } = JSON.parse(Buffer.concat(chunks).toString('utf8'))
    if (!arrivals.has(data.resource.id)) arrivals.set(data.resource.id, at)
    response.writeHead(204).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

/** Makes changes one after another, without waiting for deliveries. Returns the milliseconds from answer to arrival. */
async function timesOf(service: Service, arrivals: ReadonlyMap<string, number>, count: number) {
  const answered = new Map<string, number>()
  for (let change = 0; change < count; change++) {
    const { id } = await post(service, 'api-keys', { name: `change ${change}`, scopes: ['keys:read'] })
    answered.set(id, performance.now())
  }
  const missing = () => [...answered.keys()].filter((id) => !arrivals.has(id)).length
  for (const giveUp = Date.now() + giveUpMs; missing() > 0; ) {
    if (Date.now() > giveUp) throw new Error(`${missing()} of ${count} events did not arrive`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return [...answered].map(([id, at]) => Math.max(0, (arrivals.get(id) ?? 0) - at))
}

type Service = Pick<ServerProcess, 'url' | 'key'>

/** Creates something, and returns its record. */
async function post({ url, key }: Service, path: string, body: object): Promise<{ id: string; api_key: string }> {
  const response = await fetch(`${url}/api/v2/settings/${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const text = await response.text()
  if (response.status !== 201) throw new Error(`POST ${path} answered ${response.status}: ${text}`)
  return JSON.parse(text)
}

function reportOf(times: readonly number[]): Report {
  const p95 = percentile(times, 0.95)
  const row = { change: 'a new key', 'p50 ms': ms(median(times)), p95: ms(p95), max: ms(Math.max(...times)) }
  const note = `${changes} changes, one after another, of the local service with its stream, router, queue and sender. From the answer of the change to the arrival at a webhook on loopback.`
  return {
    tables: [{ title: 'Delivery', rows: [row], note }],
    budgets: [
      {
        what: 'p95 from a change to its delivery, locally',
        measured: `${(p95 / 1000).toFixed(2)} s`,
        limit: `${budgetMs / 1000} s`,
        isKept: p95 <= budgetMs,
      },
    ],
  }
}
