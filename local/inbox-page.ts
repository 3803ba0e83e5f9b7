/** The page of the local inbox: what people see at the vendor, and the request behind it. It has no script. */
import { Html, html } from '@octomil/local-stripe/html'
import type { IntegrationType } from '../shared/integrations/types.ts'
import { object, text } from '../shared/untrusted.ts'
import type { Entry } from './inbox.ts'

/** Renders the entries of a type, or all of them. */
export function inboxPage(entries: readonly Entry[], wanted: string | null): string {
  const shown = entries.filter(({ received }) => wanted === null || received.type === wanted)
  return html`${new Html('<!doctype html>')}
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Local inbox</title><style>${style}</style></head><body><main>
<h1>Local inbox</h1>
<p>What integrations sent, newest first. Reload for new entries. <a href="/local/inbox.json">JSON</a></p>
${filters(entries, wanted)}
${shown.length === 0 ? html`<p>Nothing arrived yet.</p>` : shown.map(article)}
</main></body></html>
`.markup
}

function filters(entries: readonly Entry[], wanted: string | null): Html {
  const counts = Map.groupBy(entries, ({ received }) => received.type)
  const link = (type: string | null, name: string, count: number) =>
    html`<a href="/local/inbox${type === null ? '' : `?type=${type}`}"${type === wanted && current}>${name} ${count}</a> `
  const types = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([type, its]) => link(type, type, its.length))
  return html`<nav aria-label="Filter by type">${link(null, 'all', entries.length)}${types}</nav>`
}
const current = new Html(' aria-current="page"')

function article({ received, signature }: Entry): Html {
  const { type, integration_id, received_at, method, url, headers, body } = received
  return html`<article>
<h2>${type} ${signature && tag(`signature ${signature}`)}</h2>
<p class="soft">${received_at} · ${integration_id ?? 'unknown integration'}</p>
<div class="card">${cards[type](body)}</div>
<details><summary>Request</summary><pre>${method} ${url}</pre><pre>${printed(headers)}</pre><pre>${printed(body)}</pre></details>
</article>
`
}

const printed = (body: unknown): string => (typeof body === 'string' ? body : JSON.stringify(body, null, 2))
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
const line = (value: unknown): string => (Array.isArray(value) ? value.map(String).join('\n') : (text(value) ?? ''))

const tones: readonly (readonly [RegExp, string])[] = [
  [/^(?:critical|error|P[12]|signature wrong)$/, 'bad'],
  [/^(?:warning|warn|P3|signature not checked)$/, 'warn'],
  [/^signature valid$/, 'good'],
]
const tag = (word: string): Html =>
  html`<span class="tag ${tones.find(([words]) => words.test(word))?.[1]}">${word}</span>`

const facts = (pairs: readonly (readonly [name: string, value: unknown])[]): Html => {
  const given = pairs.filter(([, value]) => line(value) !== '')
  return html`<dl>${given.map(([name, value]) => html`<dt>${name}</dt><dd>${line(value)}</dd>`)}</dl>`
}

const jsonOf = (body: unknown): Html => html`<pre>${printed(body)}</pre>`

/** The view of each type. Anyone on this machine can post to the inbox, so a body can have any shape. */
const cards: Readonly<Record<IntegrationType, (body: unknown) => Html>> = {
  slack: slackMessage,
  microsoft_teams: adaptiveCard,
  pagerduty: pagerDutyAlert,
  opsgenie: opsgenieAlert,
  email: mail,
  datadog: (body) => html`${list(body).map(logLine)}`,
  webhook: webhookEvent,
  opentelemetry: jsonOf,
  siem: jsonOf,
}

function webhookEvent(body: unknown): Html {
  const { type, timestamp } = object(body)
  return html`${facts([
    ['Type', type],
    ['Timestamp', timestamp],
  ])}${jsonOf(body)}`
}

function slackMessage(body: unknown): Html {
  const { channel, blocks, text: notification } = object(body)
  return html`<p><b>Octomil</b> <span class="soft">${line(channel)}</span></p>
${Array.isArray(blocks) ? blocks.map(slackBlock) : html`<p>${slackText({ text: notification })}</p>`}`
}

function slackBlock(block: unknown): Html {
  const { type, text: content, fields } = object(block)
  const own = slackText(content)
  if (type === 'header') return html`<h3>${own}</h3>`
  return html`${own !== '' && html`<p class="lines">${own}</p>`}
<div class="columns">${list(fields).map((field) => html`<p>${slackText(field)}</p>`)}</div>`
}

/** Slack shows its three entities as characters. */
const slackText = (content: unknown): string =>
  line(object(content).text).replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')

function adaptiveCard(body: unknown): Html {
  const [attachment] = list(object(body).attachments)
  const blocks = list(object(object(attachment).content).body)
  const run = (inline: unknown) => {
    const { text: content, weight } = object(inline)
    return weight === 'Bolder' ? html`<b>${line(content)}</b>` : html`${line(content)}`
  }
  return html`${blocks.map((block) => html`<p>${list(object(block).inlines).map(run)}</p>`)}`
}

function pagerDutyAlert(body: unknown): Html {
  const { payload, client, dedup_key } = object(body)
  const { summary, severity, source, component, custom_details } = object(payload)
  return html`<h3>${tag(line(severity))} ${line(summary)}</h3>
${facts([['Client', client], ['Source', source], ['Component', component], ...Object.entries(object(custom_details)), ['Key', dedup_key]])}`
}

function opsgenieAlert(body: unknown): Html {
  const { message, priority, description, entity, source, alias } = object(body)
  return html`<h3>${tag(line(priority))} ${line(message)}</h3><p class="lines">${line(description)}</p>
${facts([
  ['Entity', entity],
  ['Source', source],
  ['Alias', alias],
])}`
}

function mail(body: unknown): Html {
  const { FromEmailAddress, Destination, ReplyToAddresses, Content } = object(body)
  const { Subject, Body } = object(object(Content).Simple)
  const { Text, Html: markup } = object(Body)
  const page = line(object(markup).Data)
  return html`${facts([
    ['From', FromEmailAddress],
    ['To', list(object(Destination).ToAddresses).join(', ')],
    ['Reply-To', list(ReplyToAddresses).join(', ')],
    ['Subject', object(Subject).Data],
  ])}${page === '' ? html`<p class="lines">${line(object(Text).Data)}</p>` : html`<iframe title="Mail" sandbox srcdoc="${page}"></iframe>`}`
}

function logLine(log: unknown): Html {
  const { timestamp, status, service, message, ddtags } = object(log)
  return html`<p>${tag(line(status))} <code>${line(timestamp)} ${line(service)} ${line(message)}</code></p>
<p class="soft">${line(ddtags)}</p>`
}

const style = new Html(`
:root { --ink: #1a1f36; --soft: #4f566b; --line: #d8dee4; --ground: #f6f8fa; --bad: #b3093c; --good: #1a6b33; --warn: #8a4b00; color-scheme: light dark }
@media (prefers-color-scheme: dark) { :root { --ink: #ebeef1; --soft: #a3acba; --line: #414552; --ground: #1b1d24; --bad: #ff8098; --good: #6fd08c; --warn: #f0b45b } }
body { margin: 0; color: var(--ink); font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
main { max-width: 60rem; margin: 0 auto; padding: 1rem }
article { border-top: 1px solid var(--line); padding: 1rem 0 }
h2 { font-size: 1.05rem; margin: 0 } h3 { font-size: 1rem; margin: 0 0 .5rem } p { margin: 0 0 .3rem }
nav a { display: inline-block; padding: .15rem .6rem; margin: .2rem 0; border: 1px solid var(--line); border-radius: 1rem; text-decoration: none; color: inherit }
nav a[aria-current] { border-color: currentColor; font-weight: 600 }
.soft { color: var(--soft); font-size: .9rem } .lines, dd { white-space: pre-line }
.card { background: var(--ground); border-left: 4px solid var(--soft); border-radius: .4rem; padding: .8rem 1rem; margin: .5rem 0 }
.columns { display: grid; gap: 0 1.5rem } @media (min-width: 40rem) { .columns { grid-template-columns: 1fr 1fr } }
.tag { font-size: .8rem; font-weight: 600; border: 1px solid currentColor; border-radius: 1rem; padding: 0 .6rem }
.good { color: var(--good) } .bad { color: var(--bad) } .warn { color: var(--warn) }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; margin: 0 } dt { color: var(--soft) } dd { margin: 0 }
pre { overflow: auto; font-size: 13px; margin: .5rem 0 0; white-space: pre-wrap } .card pre { max-height: 20rem } summary { cursor: pointer }
iframe { width: 100%; height: 20rem; border: 1px solid var(--line); background: #fff; margin-top: .5rem }
`)
