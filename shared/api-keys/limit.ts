/**
 * The limit of usable keys per org, for plans that have one. Requests take places from a row of the org, apart from the
 * change itself: changes of one org then share no row. A process takes places for several keys while many are free. Places
 * never come back: keys also expire by time. At the limit, the usable keys are counted again, at most once a minute.
 */
import { readPlan } from '../billing/rows.ts'
import { setBounded } from '../bounded-map.ts'
import { ProblemError } from '../problem.ts'
import { StaleReadError } from '../storage/commit.ts'
import { countKey } from '../storage/record.ts'
import { countRows } from '../table/query.ts'
import { getRow } from '../table/read.ts'
import { fromRow, orgPartition } from '../table/rows.ts'
import { updateRow, updateRowIf } from '../table/update.ts'
import { usableKeys } from './list-keys.ts'
import { recordPrefix } from './rows.ts'

const maxUsableKeys = 1000
/** Longer than a request lives: no key that took a place is still being stored when keys are counted again. */
const recountEveryMs = 60_000

/** Places that this process has taken, and how many it took last. `unlimitedUntilMs`: the plan has no limit. */
interface Places {
  free: number
  taken: number
  unlimitedUntilMs: number
  /** The write under way. Other requests of this process wait for it, and share what it takes. */
  taking: Promise<boolean> | undefined
}

const known = new Map<string, Places>()
const maxKnown = 1000

/**
 * Takes a place for a new usable key.
 *
 * @throws ProblemError `conflict` at the limit
 */
export async function takePlace(orgId: string, now: Date): Promise<void> {
  const places = known.get(orgId) ?? { free: 0, taken: 0, unlimitedUntilMs: 0, taking: undefined }
  setBounded(known, orgId, places, maxKnown)
  if (places.unlimitedUntilMs > now.getTime()) return
  while (places.free === 0) {
    if (places.taking) {
      await places.taking
      continue
    }
    places.taking = takeSome(orgId, places, now).finally(() => {
      places.taking = undefined
    })
    if (!(await places.taking)) return recount(orgId, places, now)
  }
  places.free--
}

/** Takes places, more of them each time; false at the limit. */
async function takeSome(orgId: string, places: Places, now: Date): Promise<boolean> {
  let wanted = Math.min(2 * places.taken || 1, maxTaken)
  let left = await take(orgId, wanted, now)
  if (left === undefined && wanted > 1) {
    wanted = 1
    left = await take(orgId, wanted, now)
  }
  if (left === undefined) return false
  // Near the limit, one place at a time: no process keeps places that another one needs.
  places.taken = Math.min(wanted, Math.floor(left / 40))
  places.free += wanted
  return true
}

const maxTaken = 32

/** Takes places, and returns how many are left; undefined when fewer are left. */
async function take(orgId: string, places: number, now: Date): Promise<number | undefined> {
  const update = {
    UpdateExpression: 'SET taken_ms = :now ADD #count :places',
    ConditionExpression: 'attribute_not_exists(#count) OR #count <= :room',
    ExpressionAttributeNames: { '#count': 'count' },
    ExpressionAttributeValues: { ':places': places, ':room': maxUsableKeys - places, ':now': now.getTime() },
    ReturnValues: 'ALL_NEW',
  } as const
  try {
    const row = await updateRow(countKey({ prefix: recordPrefix }, orgId), update)
    return maxUsableKeys - Number(row?.count)
  } catch (error) {
    if (error instanceof Error && error.name === 'ConditionalCheckFailedException') return undefined
    throw error
  }
}

async function recount(orgId: string, places: Places, now: Date): Promise<void> {
  if ((await readPlan(orgId, now)).code === 'enterprise') {
    places.unlimitedUntilMs = now.getTime() + recountEveryMs
    return
  }
  const key = countKey({ prefix: recordPrefix }, orgId)
  const { count = 0, taken_ms = 0 } = fromRow<{ count?: number; taken_ms?: number }>(await getRow(key)) ?? {}
  // A key that took a place may still be on its way to the table.
  if (now.getTime() < taken_ms + recountEveryMs) throw full()
  const usable = await countRows(orgPartition(orgId), recordPrefix, usableKeys(now))
  const isFull = usable >= maxUsableKeys
  const isCounted = await updateRowIf(key, {
    UpdateExpression: 'SET #count = :count, taken_ms = :now',
    // Another request took places, or counted, since the read.
    ConditionExpression: '#count = :read',
    ExpressionAttributeNames: { '#count': 'count' },
    ExpressionAttributeValues: { ':count': isFull ? usable : usable + 1, ':now': now.getTime(), ':read': count },
  })
  if (isFull) throw full()
  if (!isCounted) throw new StaleReadError('the places of keys have changed since they were read')
}

const full = () =>
  new ProblemError(
    'conflict',
    `An organization can have ${maxUsableKeys} usable API keys on its plan. Revoke one first; its place is free within a minute. Expired and revoked keys do not count.`,
  )
