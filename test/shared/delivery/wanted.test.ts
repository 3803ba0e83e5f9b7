/** Which events an integration gets, and what keeps a complete one from getting any. */
import { describe, expect, test } from 'vitest'
import { auditActions } from '../../../shared/audit/event.ts'
import { planFeatures } from '../../../shared/billing/plans.ts'
import { obstacleOf } from '../../../shared/integrations/entity.ts'
import { wants } from '../../../shared/integrations/events.ts'
import { type Type, types } from '../../support/integrations.ts'

/** Types that get all events by default, and the events that the others get. */
const machines: readonly Type[] = ['webhook', 'datadog', 'opentelemetry', 'siem']
const forPeople = /^(?:billing|usage|api_key)\.|^integration\.disabled$/

const success = (action: (typeof auditActions)[number]) => ({ action, result: 'success' }) as const
const selectedBy = (names: readonly string[]) =>
  auditActions.filter((action) => wants({ type: 'slack', enabled: true, event_types: names }, success(action)))

describe('an integration', () => {
  test.each(types)('of type %s gets the default events of its type', (type) => {
    const got = auditActions.filter((action) => wants({ type, enabled: true }, success(action)))
    expect(got).toEqual(auditActions.filter((action) => machines.includes(type) || forPeople.test(action)))
    expect(got).toContain('integration.disabled')
  })

  test.each([
    [['*'], auditActions],
    [['api_key.created'], ['api_key.created']],
    [['usage.*'], ['usage.threshold_reached']],
    [['usage_limits.*'], ['usage_limits.updated']],
    [
      ['routing.updated', 'service_key.*'],
      ['routing.updated', 'service_key.created', 'service_key.revoked'],
    ],
  ])('with the event types %j gets exactly those', (names, actions) => {
    expect(selectedBy(names)).toEqual(actions)
  })

  test.each(['api_key', 'api_key.', 'api*', '*.created', '.*', 'API_KEY.*', 'deploy.finished', ''])(
    'with only the event type %j gets none',
    (name) => {
      expect(selectedBy([name])).toEqual([])
    },
  )

  test.each(types)('of type %s gets denied attempts on request only, and nothing while it is off', (type) => {
    const denied = { action: 'api_key.created', result: 'denied' } as const
    expect(wants({ type, enabled: true }, denied)).toBe(false)
    expect(wants({ type, enabled: true, include_denied: false, event_types: ['*'] }, denied)).toBe(false)
    expect(wants({ type, enabled: true, include_denied: true }, denied)).toBe(true)
    expect(wants({ type, enabled: true, include_denied: true, event_types: ['billing.*'] }, denied)).toBe(false)
    for (const event of [denied, success('api_key.created')])
      expect(wants({ type, enabled: false, include_denied: true, event_types: ['*'] }, event)).toBe(false)
  })
})

describe('nothing is sent', () => {
  const everything = { features: planFeatures, sendsMail: true }
  const without = (feature: (typeof planFeatures)[number]) => planFeatures.filter((each) => each !== feature)

  test.each([
    ['webhook', { ...everything, features: without('webhooks') }, 'plan_feature_missing'],
    ['siem', { ...everything, features: without('siem_export') }, 'plan_feature_missing'],
    ['email', { ...everything, sendsMail: false }, 'no_mail_sender'],
  ] as const)('to a %s without what it needs', (type, surroundings, obstacle) => {
    expect(obstacleOf(type, surroundings)).toBe(obstacle)
    for (const other of types.filter((each) => each !== type)) expect(obstacleOf(other, surroundings)).toBeUndefined()
  })

  test.each(types)('unless everything is there: %s', (type) => {
    expect(obstacleOf(type, everything)).toBeUndefined()
  })
})
