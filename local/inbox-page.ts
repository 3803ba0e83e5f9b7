/** The page of the local inbox. */
import type { Received } from './inbox.ts'

const escaped = (value: string): string => value.replaceAll(/[&<>"']/g, (found) => `&#${found.charCodeAt(0)};`)

export const inboxPage = (received: readonly Received[]): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Local inbox</title><style>
body{font:15px/1.5 system-ui;margin:2rem auto;max-width:60rem;padding:0 1rem}
article{border:1px solid #ccc;border-radius:6px;margin:1rem 0;padding:.5rem 1rem}
pre{overflow:auto;font-size:13px}
</style></head><body>
<h1>Local inbox</h1>
<p>Requests that integrations sent to vendors and by mail, newest first. Reload for new ones. <a href="/local/inbox.json">JSON</a></p>
${received.length === 0 ? '<p>Nothing arrived yet.</p>' : received.map(entry).join('\n')}
</body></html>
`

const entry = ({ type, integration_id, received_at, method, url, headers, body }: Received): string => `<article>
<h2>${type} <small>${escaped(received_at)} · ${escaped(integration_id ?? 'unknown integration')}</small></h2>
<p><code>${escaped(`${method} ${url}`)}</code></p>
<pre>${escaped(JSON.stringify(headers, null, 2))}</pre>
<pre>${escaped(typeof body === 'string' ? body : JSON.stringify(body, null, 2))}</pre>
</article>`
