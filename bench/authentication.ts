/**
 * Authentication by a read beside a counter, as it is, and by one update of the key's record, as it could be: latency
 * alone and under load, and what each does to a rotation and a revocation of a key that is in use.
 */
import { Agent } from 'node:http'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { getKey } from '../shared/api-keys/find.ts'
import { issueKey } from '../shared/api-keys/issue.ts'
import { countIssued } from '../shared/api-keys/limit.ts'
import { keyRevoked } from '../shared/api-keys/revoke.ts'
import { keyRotated } from '../shared/api-keys/rotate.ts'
import { authenticate } from '../shared/http/authenticate.ts'
import { openExchange } from '../shared/http/exchange.ts'
import { enforceRateLimit } from '../shared/http/rate-limit.ts'
import { ProblemError } from '../shared/problem.ts'
import { commit, type Mutation, StaleReadError } from '../shared/storage/commit.ts'
import { table } from '../shared/table/client.ts'
import { authenticateByUpdate } from './authenticate-by-update.ts'
import { consumedBy } from './consumed.ts'
import { type BenchOrg, deadline, makeOrg, makeOrgs, requestContext } from './fixture.ts'
import { median, ms, percentile, type Report, ratio, type Table } from './report.ts'

const sequentialSamples = 600
const users = 50
const callsPerUser = 30
const hotRounds = 8

type Authenticate = (rawKey: string) => Promise<unknown>

/** As the pipeline does it: whose key, the record beside the count, and the comparison with the limit. */
async function byReadAndCounter(rawKey: string): Promise<void> {
  const exchange = openExchange({ headers: { authorization: `Bearer ${rawKey}` } }, undefined)
  await authenticate(exchange)
  await enforceRateLimit(exchange)
}

const byUpdate: Authenticate = (rawKey) => authenticateByUpdate(rawKey, new Date())

const designs: readonly [name: string, Authenticate][] = [
  ['read beside counter (present)', byReadAndCounter],
  ['one update of the record', byUpdate],
]

export async function measureAuthentication(): Promise<Report> {
  allowManySockets()
  return { tables: [await compareLatency(), await compareHotKeys()] }
}

/** The SDK opens 50 sockets at most; a Lambda serves one request at a time, but 50 users in one process make 100 calls. */
function allowManySockets(): void {
  const { requestHandler } = table().config
  if (!(requestHandler instanceof NodeHttpHandler)) throw new TypeError('the SDK has another request handler now')
  requestHandler.updateHttpClientConfig('httpAgent', new Agent({ keepAlive: true, maxSockets: 4 * users }))
}

async function compareLatency(): Promise<Table> {
  const alone = await timeInTurns(sequentialSamples, [await makeOrg()], 1)
  const oneKey = await timeInTurns(callsPerUser, [await makeOrg()], users)
  const manyKeys = await timeInTurns(callsPerUser, await makeOrgs(users), users)
  const units: string[] = []
  for (const [, run] of designs) {
    const { rawKey } = await makeOrg()
    await run(rawKey)
    const { readUnits, writeUnits } = await consumedBy(() => run(rawKey))
    units.push(`${readUnits} + ${writeUnits}`)
  }
  const rows = designs.map(([design], index) => {
    const of = (times: number[][], share: number) => percentile(times[index] ?? [], share)
    const cells = (label: string, times: number[][]) => ({
      [`${label} p50`]: ms(of(times, 0.5)),
      [`${label} p99`]: ms(of(times, 0.99)),
      [`${label} ratio`]: ratio(of(times, 0.5), median(times[0] ?? [])),
    })
    return {
      design,
      ...cells('alone', alone),
      ...cells('50 on one key', oneKey),
      ...cells('50 on 50 keys', manyKeys),
      'units r + w': units[index] ?? '',
    }
  })
  const note = `${sequentialSamples} one after another; ${users} users with ${callsPerUser} each, on one key and on a key each; the designs in turns; ratios of the p50.`
  return { title: 'Authentication, ms', rows, note }
}

/** The times of each design, in slices that take turns. */
async function timeInTurns(calls: number, orgs: readonly BenchOrg[], parallel: number): Promise<number[][]> {
  const slices = 6
  const times: number[][] = designs.map(() => [])
  for (const { rawKey } of orgs) for (const [, run] of designs) await run(rawKey)
  for (let slice = 0; slice < slices; slice++) {
    for (const [index, [, run]] of designs.entries()) {
      const use = async (_: unknown, user: number) => {
        const { rawKey } = orgs[user % orgs.length] as BenchOrg
        for (let call = 0; call < calls / slices; call++) {
          const start = performance.now()
          await run(rawKey)
          times[index]?.push(performance.now() - start)
        }
      }
      await Promise.all(Array.from({ length: parallel }, use))
    }
  }
  return times
}

/** What was seen while a key in use was rotated and revoked. */
interface HotKey {
  attempts: number[]
  transactionMs: number[]
  calls: number
  conflicts: number
  /** Calls that began after the revocation had been answered and went through all the same. */
  acceptedLate: number
}

async function compareHotKeys(): Promise<Table> {
  const rows: Record<string, string>[] = []
  for (const [design, run] of designs) {
    const seen: HotKey = { attempts: [], transactionMs: [], calls: 0, conflicts: 0, acceptedLate: 0 }
    for (let round = 0; round < hotRounds; round++) await useWhileRevoked(run, seen)
    rows.push({
      design,
      'attempts mean': (seen.attempts.reduce((sum, count) => sum + count, 0) / seen.attempts.length).toFixed(2),
      'attempts max': String(Math.max(...seen.attempts)),
      'transaction p50 ms': ms(median(seen.transactionMs)),
      'slowest ms': ms(Math.max(...seen.transactionMs)),
      'users’ calls': String(seen.calls),
      'users’ conflicts': String(seen.conflicts),
      'accepted late': String(seen.acceptedLate),
    })
  }
  const note = `${hotRounds} keys each. The engine here writes one transaction after another and reported the conflicts counted above; DynamoDB itself answers TransactionConflictException to an UpdateItem that meets a transaction on the same item, and never to a GetItem.`
  return { title: 'A key rotated with overlap, then revoked, while 50 users use it', rows, note }
}

async function useWhileRevoked(run: Authenticate, seen: HotKey): Promise<void> {
  const org = await makeOrg()
  await run(org.rawKey)
  let revokedAt = Number.POSITIVE_INFINITY
  const use = async () => {
    for (;;) {
      const start = performance.now()
      seen.calls++
      try {
        await run(org.rawKey)
        if (start > revokedAt) seen.acceptedLate++
      } catch (error) {
        if (error instanceof ProblemError && error.code === 'invalid_api_key') return
        if (!isConflict(error)) throw error
        seen.conflicts++
      }
    }
  }
  const using = Promise.all(Array.from({ length: users }, use))
  await new Promise((resolve) => setTimeout(resolve, 50))
  await change(org, seen, rotation)
  await change(org, seen, revocation)
  revokedAt = performance.now()
  await using
}

const isConflict = (error: unknown): boolean => error instanceof Error && error.name.startsWith('TransactionConflict')

type KeyChange = (org: BenchOrg, key: Awaited<ReturnType<typeof getKey>>, now: Date) => Mutation | Promise<Mutation>

const overlapMs = 3_600_000
const rotation: KeyChange = async ({ orgId }, key, now) => {
  const replacement = issueKey(key, requestContext(orgId).actor, now, key.id)
  const retiredAt = new Date(now.getTime() + overlapMs).toISOString()
  return keyRotated(orgId, key, replacement, retiredAt, now, await countIssued(orgId, now))
}
const revocation: KeyChange = ({ orgId }, key, now) => keyRevoked(orgId, key, 'bench', now).mutation

/** Commits a change as the pipeline does, and notes how many transactions it took. */
async function change(org: BenchOrg, seen: HotKey, make: KeyChange): Promise<void> {
  const start = performance.now()
  const before = transactions
  countTransactions()
  for (;;) {
    const key = await getKey(org.orgId, org.keyId)
    try {
      await commit(await make(org, key, new Date()), requestContext(org.orgId), deadline())
      break
    } catch (error) {
      if (!(error instanceof StaleReadError)) throw error
    }
  }
  seen.transactionMs.push(performance.now() - start)
  seen.attempts.push(transactions - before)
}

let transactions = 0
let isCounting = false

function countTransactions(): void {
  if (isCounting) return
  isCounting = true
  table().middlewareStack.add(
    (next, { commandName }) =>
      (args) => {
        if (commandName === 'TransactWriteItemsCommand') transactions++
        return next(args)
      },
    { step: 'initialize', name: 'countTransactions' },
  )
}
