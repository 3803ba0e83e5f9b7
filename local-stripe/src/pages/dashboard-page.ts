/** The return page when no dashboard is configured. It shows the request that a dashboard would send now. */
import { html } from './html.ts'
import { layout, type PageAnswer } from './layout.ts'

/** Path of the default return URLs of checkout and portal. */
export const dashboardPath = '/settings/'

/** The portal's default return address has no query. */
const backFromPortal = 'You are back from the billing portal. GET /api/v2/settings/billing shows the changes.'

export function showDashboard(query: URLSearchParams): PageAnswer {
  const session = query.get('session_id')
  const request = `curl -s -X POST $API/billing/checkout/reconcile -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' -d '{"session_id":"${session}"}'`
  const body = html`<section><h1>Back at the dashboard</h1>
<p>Your dashboard would be here. Set its origin with <code>npm run dev -- --cors-origin</code>.</p>
${
  session
    ? html`<p>The checkout is complete. A dashboard would now request the new billing state:</p><p><code class="long">${request}</code></p>`
    : html`<p class="soft">${query.get('checkout') === 'cancelled' ? 'Nothing was bought.' : backFromPortal}</p>`
}
</section>`
  return { status: 200, body: layout({ title: 'Back at the dashboard', body, width: 'narrow' }) }
}
