/** A page of a list must cost the same whatever the size of the org: ten keys beside ten thousand. */
import { invoke } from '../test/support/invoke.ts'
import { consumedBy } from './consumed.ts'
import { type BenchOrg, type Fixture, makeOrg, seedKeys } from './fixture.ts'
import { median, ms, percentile, printTable, ratio, type TableRow } from './report.ts'

const smallCount = 10
const largeCount = 10_000
const samples = 200
const warmUp = 20

type Page = (org: BenchOrg) => Promise<unknown>

const page = (org: BenchOrg, query: Record<string, string>) => invoke('api-keys/list', { token: org.rawKey, query })

export async function measureLists(_: Fixture): Promise<void> {
  const small = await orgWith(smallCount)
  const large = await orgWith(largeCount)
  const { body } = await page(large, { limit: '10' })
  const second = { limit: '10', cursor: body.next_cursor as string }
  const rows = [
    await compare('first 10 keys', small, (org) => page(org, { limit: '10' }), large),
    await compare('second 10 keys', small, (org) => page(org, org === large ? second : { limit: '10' }), large),
    await compare('a page of 50 (10 in the small org)', small, (org) => page(org, { limit: '50' }), large),
    await compare('by state, which none is in', small, (org) => page(org, { state: 'revoked' }), large),
  ]
  printTable('List pages', rows, [
    `An org of ${smallCount} keys beside one of ${largeCount}, ${samples} pages each in turns, handler and engine. A filtered page reads at most`,
    '250 rows, and the answer says where to go on; a page holds what it holds, so only pages of equal length compare.',
  ])
}

/** An org with `count` keys; its first one, which asks, is among them. */
async function orgWith(count: number): Promise<BenchOrg> {
  const org = await makeOrg()
  await seedKeys(org.orgId, count - 1)
  return org
}

async function compare(name: string, small: BenchOrg, read: Page, large: BenchOrg): Promise<TableRow> {
  const times = new Map<BenchOrg, number[]>([
    [small, []],
    [large, []],
  ])
  for (let sample = -warmUp; sample < samples; sample++) {
    for (const [org, taken] of times) {
      const start = performance.now()
      await read(org)
      if (sample >= 0) taken.push(performance.now() - start)
    }
  }
  const [ofSmall = [], ofLarge = []] = [...times.values()]
  const units = async (org: BenchOrg) => (await consumedBy(() => read(org))).readUnits
  return {
    page: name,
    [`p50 ms of ${smallCount}`]: ms(median(ofSmall)),
    [`of ${largeCount}`]: ms(median(ofLarge)),
    ratio: ratio(median(ofLarge), median(ofSmall)),
    [`p99 ms of ${smallCount}`]: ms(percentile(ofSmall, 0.99)),
    [`p99 of ${largeCount}`]: ms(percentile(ofLarge, 0.99)),
    [`read units of ${smallCount}`]: String(await units(small)),
    [`units of ${largeCount}`]: String(await units(large)),
  }
}
