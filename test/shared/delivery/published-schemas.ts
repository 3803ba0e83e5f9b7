/** What vendors publish of the bodies that they take: fields, types and limits, each with its source. */

const text = (maxLength: number, minLength = 1) => ({ type: 'string', minLength, maxLength })
const strict = (properties: object, required: string[] = []) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
})

/** https://docs.slack.dev/reference/block-kit/composition-objects/text-object: mrkdwn objects have no place here. */
const plainText = (maxLength: number) =>
  strict({ type: { const: 'plain_text' }, text: text(maxLength), emoji: { const: false } }, ['type', 'text'])

/** https://docs.slack.dev/reference/block-kit/blocks/section-block and …/header-block */
export const slack = strict(
  {
    channel: { type: 'string' },
    text: text(40_000),
    mrkdwn: { const: false },
    parse: { const: 'none' },
    link_names: { const: false },
    unfurl_links: { const: false },
    unfurl_media: { const: false },
    blocks: {
      type: 'array',
      maxItems: 50,
      items: {
        oneOf: [
          strict({ type: { const: 'header' }, text: plainText(150) }, ['type', 'text']),
          strict({ type: { const: 'section' }, text: plainText(3000) }, ['type', 'text']),
          strict(
            {
              type: { const: 'section' },
              fields: { type: 'array', minItems: 1, maxItems: 10, items: plainText(2000) },
            },
            ['type', 'fields'],
          ),
        ],
      },
    },
  },
  ['text', 'blocks'],
)

/** https://adaptivecards.io/schemas/1.5.0/adaptive-card.json: AdaptiveCard, RichTextBlock and TextRun. */
const textRun = strict(
  {
    type: { const: 'TextRun' },
    text: { type: 'string' },
    weight: { enum: ['Default', 'Lighter', 'Bolder'] },
    size: { enum: ['Default', 'Small', 'Medium', 'Large', 'ExtraLarge'] },
  },
  ['type', 'text'],
)
const card = strict(
  {
    $schema: { const: 'http://adaptivecards.io/schemas/adaptive-card.json' },
    type: { const: 'AdaptiveCard' },
    version: { const: '1.5' },
    body: {
      type: 'array',
      items: strict({ type: { const: 'RichTextBlock' }, inlines: { type: 'array', minItems: 1, items: textRun } }, [
        'type',
        'inlines',
      ]),
    },
  },
  ['type', 'version', 'body'],
)

/** https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using */
export const microsoft_teams = strict(
  {
    type: { const: 'message' },
    attachments: {
      type: 'array',
      minItems: 1,
      maxItems: 1,
      items: strict(
        {
          contentType: { const: 'application/vnd.microsoft.card.adaptive' },
          contentUrl: { type: 'null' },
          content: card,
        },
        ['contentType', 'content'],
      ),
    },
  },
  ['type', 'attachments'],
)

/** https://developer.pagerduty.com/docs/events-api-v2/trigger-events/ */
export const pagerduty = strict(
  {
    routing_key: text(32, 32),
    event_action: { enum: ['trigger', 'acknowledge', 'resolve'] },
    dedup_key: text(255),
    client: { type: 'string' },
    payload: strict(
      {
        summary: text(1024),
        source: { type: 'string' },
        severity: { enum: ['critical', 'error', 'warning', 'info'] },
        timestamp: { type: 'string' },
        component: { type: 'string' },
        class: { type: 'string' },
        custom_details: { type: 'object' },
      },
      ['summary', 'source', 'severity'],
    ),
  },
  ['routing_key', 'event_action', 'payload'],
)

/** https://docs.opsgenie.com/docs/alert-api#create-alert */
export const opsgenie = strict(
  {
    message: text(130),
    alias: text(512),
    description: text(15_000),
    details: { type: 'object', additionalProperties: { type: 'string' } },
    entity: text(512),
    source: text(100),
    priority: { enum: ['P1', 'P2', 'P3', 'P4', 'P5'] },
  },
  ['message'],
)

/** https://docs.datadoghq.com/api/latest/logs/#send-logs: HTTPLogItem allows further attributes; the rest is at most 1 MB. */
export const datadog = {
  type: 'array',
  minItems: 1,
  maxItems: 1000,
  items: {
    type: 'object',
    required: ['message'],
    properties: {
      ddsource: { type: 'string' },
      ddtags: { type: 'string' },
      hostname: { type: 'string' },
      message: { type: 'string' },
      service: { type: 'string' },
    },
  },
}

/** https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html */
const content = strict({ Data: { type: 'string', pattern: '^[^\\r]*$' }, Charset: { type: 'string' } }, ['Data'])
export const email = strict({
  FromEmailAddress: { type: 'string' },
  Destination: strict({ ToAddresses: { type: 'array', minItems: 1, maxItems: 50, items: { type: 'string' } } }),
  ReplyToAddresses: { type: 'array', items: { type: 'string' } },
  Content: strict({
    Simple: strict({ Subject: content, Body: strict({ Text: content, Html: content }) }, ['Subject', 'Body']),
  }),
})
