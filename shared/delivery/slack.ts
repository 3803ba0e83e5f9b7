/**
 * Messages of Slack's incoming webhooks. https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks,
 * https://docs.slack.dev/reference/block-kit/blocks (limits), and
 * https://docs.slack.dev/messaging/formatting-message-text (escaping).
 */
import { Secret } from '../secrets/secret.ts'
import { clipped, textsOf } from './event.ts'
import { basedUrl, type Format, json, secretOf, textOf } from './request.ts'

/** Slack reads `<!channel>`, `<@U1>` and `<https://…>` as a ping, a mention and a link unless they are escaped. */
const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** The text is clipped before it is escaped: half an entity would show. */
function fitting(text: string, max: number): string {
  let length = Math.min(text.length, max)
  while (escaped(clipped(text, length)).length > max) length -= Math.ceil(length / 8)
  return escaped(clipped(text, length))
}

/** Plain text has no mentions, links or emoji. */
const plain = (text: string, max: number) => ({ type: 'plain_text', text: fitting(text, max), emoji: false })

export const slackRequest: Format = (config, { event }, { baseUrls }) => {
  const { title, summary, facts, changes } = textsOf(event)
  const channel = textOf(config, 'channel')
  const message = {
    ...(channel === undefined ? {} : { channel }),
    // Shown in notifications.
    text: fitting(summary, 3000),
    mrkdwn: false,
    parse: 'none',
    link_names: false,
    ...{ unfurl_links: false, unfurl_media: false },
    blocks: [
      { type: 'header', text: plain(title, 150) },
      { type: 'section', fields: facts.map(([name, value]) => plain(`${name}: ${value}`, 2000)) },
      ...(changes.length > 0 ? [{ type: 'section', text: plain(changes.join('\n'), 3000) }] : []),
    ],
  }
  const url = basedUrl(secretOf(config, 'webhook_url').reveal(), baseUrls?.slack)
  return { transport: 'http', method: 'POST', url: new Secret(url), headers: json, body: JSON.stringify(message) }
}
