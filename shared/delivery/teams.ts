/**
 * Adaptive Cards for Teams workflows. https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
 * (envelope, 28 KB) and https://adaptivecards.io/schemas/1.5.0/adaptive-card.json.
 */
import { Secret } from '../secrets/secret.ts'
import { textsOf } from './event.ts'
import { basedUrl, type Format, json, secretOf } from './request.ts'

/** A TextRun has no Markdown, so names cannot become links. `<at>` would name a mention. */
const run = (text: string, weight: 'Bolder' | 'Default' = 'Default') => ({
  type: 'TextRun',
  text: text.replaceAll(/<(?=\/?at\b)/gi, '<\u200b'),
  weight,
})
const line = (...inlines: object[]) => ({ type: 'RichTextBlock', inlines })

export const teamsRequest: Format = (config, { event }, { baseUrls }) => {
  const { title, facts, changes } = textsOf(event)
  const card = {
    $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
    type: 'AdaptiveCard',
    version: '1.5',
    body: [
      line({ ...run(title, 'Bolder'), size: 'Medium' }),
      ...facts.map(([name, value]) => line(run(`${name}: `, 'Bolder'), run(value))),
      ...changes.map((change) => line(run(change))),
    ],
  }
  const message = {
    type: 'message',
    attachments: [{ contentType: 'application/vnd.microsoft.card.adaptive', contentUrl: null, content: card }],
  }
  const url = basedUrl(secretOf(config, 'webhook_url').reveal(), baseUrls?.microsoft_teams)
  return { transport: 'http', method: 'POST', url: new Secret(url), headers: json, body: JSON.stringify(message) }
}
