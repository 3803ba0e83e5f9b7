/** The arithmetic behind docs/cost.md. Measurements are not tested, their conversion into dollars is. */
import { readFileSync } from 'node:fs'
import { PutCommand } from '@aws-sdk/lib-dynamodb'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { consumedBy } from '../../bench/consumed.ts'
import { estimates, profile } from '../../cost/assumptions.ts'
import { billedMs, billOf, healthWriteUnits, maxWithin, type Sample, times, usageOf } from '../../cost/bill.ts'
import { priceList } from '../../cost/cost-page.ts'
import { rowBytes } from '../../cost/rows.ts'
import { sealerSteps } from '../../cost/sealer.ts'
import { steps } from '../../cost/steps.ts'
import { table, tableName } from '../../shared/table/client.ts'
import { updateRowIf } from '../../shared/table/update.ts'

const nothing: Sample = {
  ...{ apiRequests: 0, invocations: 0, readUnits: 0, writeUnits: 0, kmsCalls: 0, signatures: 0 },
  ...{ cpuMs: 0, waitMs: 0 },
  ...{ logBytes: 0, egressBytes: 0, events: 0, eventBytes: 0, queueRequests: 0 },
}
const million = (sample: Partial<Sample>) => billOf(times(usageOf({ ...nothing, ...sample }), 1_000_000))

describe('a million requests', () => {
  test('cost the list price of each resource that they use', () => {
    expect(million({ apiRequests: 1 }).API).toBeCloseTo(1)
    expect(million({ readUnits: 2, writeUnits: 9 }).Table).toBeCloseTo(2 * 0.125 + 9 * 0.625)
    expect(million({ kmsCalls: 1 }).KMS).toBeCloseTo(3)
    expect(million({ signatures: 1 }).KMS).toBeCloseTo(15)
    expect(million({ egressBytes: 1024 ** 3 / 1_000_000 }).Network).toBeCloseTo(0.09)
    expect(million({ queueRequests: 3 }).Events).toBeCloseTo(3 * 0.4)
  })

  test('of 100 ms at 1024 MB are 100,000 GB-seconds and a million invocations', () => {
    const warm = million({ waitMs: 100 }).Lambda ?? 0
    expect(warm).toBeCloseTo(100_000 * 0.0000133334)
    // An invocation adds its own price, and the share of a cold start.
    expect((million({ waitMs: 100, invocations: 1 }).Lambda ?? 0) - warm).toBeGreaterThan(0.2)
  })
})

test('a share of a vCPU stretches CPU time but not waiting, and a started millisecond is billed', () => {
  expect(billedMs({ cpuMs: 0, waitMs: 20 })).toBe(20)
  expect(billedMs({ cpuMs: 10, waitMs: 20 })).toBe(Math.ceil((10 * 1769) / 1024) + 20)
  expect(billedMs({ cpuMs: 0, waitMs: 20.1 })).toBe(21)
})

describe('the health partition', () => {
  const row = { baseBytes: 200, bytesPerReporter: 100 }

  test('takes one unit for each KB of the row, and twice that for each row of a transaction', () => {
    expect(healthWriteUnits(row, 8, 1, 1)).toBe(8 * 1)
    expect(healthWriteUnits(row, 9, 1, 1)).toBe(9 * 2)
    expect(healthWriteUnits(row, 8, 10, 2)).toBe((8 / 2) * 2 * 10)
  })

  test('is over its limit with one reporter more than the maximum', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 60 }), (targets, seconds) => {
        const units = (reporters: number) => healthWriteUnits(row, reporters, targets, seconds)
        const max = maxWithin(1000, units)
        expect(units(max)).toBeLessThanOrEqual(1000)
        expect(units(max + 1)).toBeGreaterThan(1000)
      }),
    )
  })
})

test('row sizes match the units that the engine bills', async () => {
  const row = {
    pk: 'ORG#size',
    sk: 'ROW',
    list: ['a', 1, true, null],
    map: { at: 1_764_000_000_123, of: new Set(['x']) },
  }
  const filled = (bytes: number) => ({ ...row, text: 'x'.repeat(bytes - rowBytes(row) - 'text'.length) })
  const unitsOf = async (bytes: number) => {
    const put = new PutCommand({ TableName: tableName(), Item: filled(bytes), ReturnConsumedCapacity: 'TOTAL' })
    return (await table().send(put)).ConsumedCapacity?.CapacityUnits
  }
  expect(await unitsOf(1024)).toBe(1)
  expect(await unitsOf(1025)).toBe(2)
})

test('a write whose condition fails is counted, because DynamoDB bills it', async () => {
  const refused = () =>
    updateRowIf(
      { pk: 'ORG#refused', sk: 'ROW' },
      {
        UpdateExpression: 'SET seen = :seen',
        ConditionExpression: 'attribute_exists(pk)',
        ExpressionAttributeValues: { ':seen': true },
      },
    )
  expect(await consumedBy(refused)).toMatchObject({ refusedWrites: 1, writeUnits: 0 })
})

test('every activity of the mean organization is measured or estimated', () => {
  const known = new Set([steps, sealerSteps, estimates].flatMap((each) => Object.keys(each)))
  expect(Object.keys(profile.each).filter((name) => !known.has(name))).toEqual([])
})

test('docs/cost.md lists the prices that the script uses', () => {
  const page = readFileSync(new URL('../../docs/cost.md', import.meta.url), 'utf8')
  expect(page, 'a price has changed; run: npm run cost').toContain(priceList())
})
