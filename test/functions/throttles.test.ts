/** The throttles of a stage's routes. */
import { describe, expect, test } from 'vitest'
import { operationList, routeList } from '../../functions/operations.ts'
import { defaultThrottles, routeThrottles, throttledIds } from '../../functions/throttles.ts'
import { routeKeyOf } from '../../shared/http/operation.ts'

describe.each(Object.entries(defaultThrottles))('a stage that is %s', (_stage, usual) => {
  const { exceptions, default: given } = routeThrottles(usual)

  test('has its default for every route that is no exception', () => {
    expect(given).toEqual(usual)
    expect(exceptions['GET /api/v2/settings/api-keys']).toBeUndefined()
  })

  test('gives reports, introspection and Stripe more, and public pages less', () => {
    const rates = [
      'POST /api/v2/settings/execution/reports',
      'POST /api/v2/settings/api-keys/introspect',
      'POST /api/v1/webhooks/stripe',
      'GET /api/v2/settings/api-keys/scopes',
      'GET /api/v1/health',
      'HEAD /api/v1/docs',
    ].map((key) => (exceptions[key]?.rateLimit ?? 0) / usual.rateLimit)
    expect(rates).toEqual([5, 10, 4, 2, 0.2, 0.2])
  })

  test('names existing routes only, all of an operation alike', () => {
    const keys = routeList.filter(({ operation }) => throttledIds.includes(operation.id))
    expect(Object.keys(exceptions).sort()).toEqual(keys.map(({ route }) => routeKeyOf(route)).sort())
  })

  // Default quotas of an account and region: 10,000 requests a second, and a bucket of 5,000.
  // https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
  test('stays within the quotas of an account, and lets every route through', () => {
    for (const { rateLimit, burstLimit } of [usual, ...Object.values(exceptions)]) {
      expect(rateLimit).toBeLessThanOrEqual(10_000)
      expect(burstLimit).toBeLessThanOrEqual(5_000)
      expect(burstLimit).toBeGreaterThanOrEqual(rateLimit)
      expect(rateLimit).toBeGreaterThanOrEqual(1)
    }
  })
})

test('every exception names an operation', () => {
  const ids = operationList.map(([, { id }]) => id)
  expect(throttledIds.filter((id) => !ids.includes(id))).toEqual([])
})
