/** The client verifies the webhooks of the service. */
import { expect, test } from 'vitest'
import { verifyWebhook, WebhookVerificationError } from '../../client/src/webhook.ts'
import { Secret } from '../../shared/secrets/secret.ts'
import { event, now, sent, signingSecret } from '../shared/delivery/sample.ts'

const nowMs = now.getTime()
const former = 'a former secret of 25 letters'

test('a webhook gives its typed event, from Headers, plain objects and bytes', async () => {
  const { headers, text, bytes } = sent('webhook')
  for (const given of [headers, new Headers(headers)])
    expect((await verifyWebhook(given, text, signingSecret, { nowMs })).data).toEqual(event)
  expect((await verifyWebhook(headers, bytes, signingSecret, { nowMs })).type).toBe('api_key.created')
})

test('one of several signatures and one of several secrets is enough', async () => {
  const { headers, text } = sent('webhook', { options: { replacedSecret: new Secret(former) } })
  for (const secret of [signingSecret, former, ['another secret of ours', former]])
    expect(await verifyWebhook(headers, text, secret, { nowMs })).toMatchObject({ type: 'api_key.created' })
})

test.each([
  ['another secret', {}, '', 'another secret of ours', 0],
  ['a changed body', {}, ' ', signingSecret, 0],
  ['another id', { 'webhook-id': 'aud_2' }, '', signingSecret, 0],
  ['a signature that is no base64', { 'webhook-signature': 'v1,***' }, '', signingSecret, 0],
  ['an age of more than 5 minutes', {}, '', signingSecret, 301_000],
  ['a time more than 5 minutes ahead', {}, '', signingSecret, -302_000],
])('%s is refused', async (_title, changed, suffix, secret, laterMs) => {
  const { headers, text } = sent('webhook')
  const verified = verifyWebhook({ ...headers, ...changed }, text + suffix, secret, { nowMs: nowMs + laterMs })
  await expect(verified).rejects.toThrow(WebhookVerificationError)
})
