/** A bounded HTTP load on loopback: a fixed number of connections. It reads each answer and checks its status. */
import { Agent, request } from 'node:http'
import { percentile } from './report.ts'

export interface Shot {
  method: string
  path: string
  token: string
  body?: unknown
  /** The expected status. Another one ends the load with an error. */
  status: number
  /** A status that is counted instead. */
  refusal?: number
}

export interface LoadResult {
  seconds: number
  /** Of all answers, refusals included. */
  latenciesMs: number[]
  refused: number
}

/** The load ends after a number of requests, or after a time. */
export type LoadEnd = { count: number } | { seconds: number }

/** Sends requests, `concurrency` at a time; `shot` makes the request of a worker. */
export async function fire(
  baseUrl: string,
  end: LoadEnd,
  concurrency: number,
  shot: (worker: number) => Shot,
): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency })
  const latenciesMs: number[] = []
  let refused = 0
  const start = performance.now()
  const goesOn = 'count' in end ? countdown(end.count) : () => performance.now() - start < end.seconds * 1000
  const work = async (_: unknown, worker: number) => {
    while (goesOn()) {
      const start = performance.now()
      if (!(await send(baseUrl, agent, shot(worker)))) refused++
      latenciesMs.push(performance.now() - start)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, work))
  const seconds = (performance.now() - start) / 1000
  agent.destroy()
  return { seconds, latenciesMs, refused }
}

const countdown = (count: number) => {
  let left = count
  return () => left-- > 0
}

/** Whether the request has its expected status. */
function send(baseUrl: string, agent: Agent, shot: Shot): Promise<boolean> {
  const { method, path, token, body, status, refusal } = shot
  const content = body === undefined ? undefined : JSON.stringify(body)
  const headers = {
    authorization: `Bearer ${token}`,
    ...(content === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) }),
  }
  return new Promise((resolve, reject) => {
    const sent = request(baseUrl + path, { agent, method, headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        if (response.statusCode === status || response.statusCode === refusal) resolve(response.statusCode === status)
        else reject(new Error(`${method} ${path} answered ${response.statusCode}: ${Buffer.concat(chunks)}`))
      })
    })
    sent.on('error', reject)
    sent.end(content)
  })
}

/** Merges results of the same load. */
export const joined = (results: readonly LoadResult[]): LoadResult => ({
  seconds: results.reduce((sum, { seconds }) => sum + seconds, 0),
  latenciesMs: results.flatMap(({ latenciesMs }) => latenciesMs),
  refused: results.reduce((sum, { refused }) => sum + refused, 0),
})

export const perSecond = ({ seconds, latenciesMs }: LoadResult): number => latenciesMs.length / seconds
export const p50 = ({ latenciesMs }: LoadResult): number => percentile(latenciesMs, 0.5)
export const p99 = ({ latenciesMs }: LoadResult): number => percentile(latenciesMs, 0.99)
