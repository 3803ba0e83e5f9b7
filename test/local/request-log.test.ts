/** What a person sees in the terminal of the local service. */
import { expect, test, vi } from 'vitest'
import { readableText } from '../../local/request-log.ts'

const timestamp = '2026-02-01T12:00:00.000Z'
const lines = (...entries: object[]) => entries.map((entry) => `${JSON.stringify({ timestamp, ...entry })}\n`).join('')
const webhook = { message: 'request', method: 'POST', path: '/api/v1/webhooks/stripe', operation: 'webhook' }

test('Stripe events are a line each where they were applied, and none where they were not', () => {
  const event = { level: 'INFO', event_type: 'customer.subscription.updated' }
  const shown = readableText(
    lines(
      { ...event, message: 'Stripe event received' },
      { ...webhook, status: 200 },
      { ...event, message: 'Stripe event projected', org_id: 'org_1', changed: true },
      { ...event, message: 'Stripe event is not for us', reason: 'type' },
    ),
  )
  expect(shown).toBe('12:00:00.000 Stripe customer.subscription.updated org_1 changed\n')
})

test('shows a refused webhook, and output that is no log line', () => {
  const shown = readableText(`${lines({ ...webhook, status: 400, problem: 'invalid_input' })}plain text\n`)
  expect(shown).toMatch(/400.*webhooks\/stripe.*invalid_input\s*\nplain text\n$/)
})

test('colours are left out where NO_COLOR is set', () => {
  const request = lines({ ...webhook, path: '/api/v1/health', status: 200 })
  vi.stubEnv('NO_COLOR', '')
  expect(readableText(request)).toContain('\u001b[')
  vi.stubEnv('NO_COLOR', '1')
  expect(readableText(request)).not.toContain('\u001b[')
  vi.unstubAllEnvs()
})
