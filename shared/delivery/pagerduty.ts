/**
 * PagerDuty Events API v2. https://developer.pagerduty.com/docs/events-api-v2/trigger-events/ and, for the regions,
 * https://support.pagerduty.com/main/docs/service-regions.
 */
import { Secret } from '../secrets/secret.ts'
import { clipped, textsOf } from './event.ts'
import { basedUrl, type Format, json, secretOf, textOf } from './request.ts'

const origins: Readonly<Record<string, string>> = {
  us: 'https://events.pagerduty.com',
  eu: 'https://events.eu.pagerduty.com',
}

export const pagerDutyRequest: Format = (config, { event }, { baseUrls }) => {
  const { summary, facts, changes } = textsOf(event)
  const alert = {
    routing_key: secretOf(config, 'routing_key').reveal(),
    event_action: 'trigger',
    dedup_key: event.id,
    client: 'Octomil',
    payload: {
      summary: clipped(summary, 1024),
      source: 'octomil-settings-api',
      severity: textOf(config, 'severity') ?? 'info',
      timestamp: event.timestamp,
      component: event.resource.type,
      class: event.action,
      custom_details: { ...Object.fromEntries(facts), Changes: changes },
    },
  }
  const url = `${origins[textOf(config, 'region') ?? 'us']}/v2/enqueue`
  return {
    transport: 'http',
    method: 'POST',
    url: new Secret(basedUrl(url, baseUrls?.pagerduty)),
    headers: json,
    // The body holds the routing key.
    body: new Secret(JSON.stringify(alert)),
  }
}
