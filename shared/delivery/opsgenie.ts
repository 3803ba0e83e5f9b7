/** Opsgenie's alert API. https://docs.opsgenie.com/docs/alert-api (create alert: fields and their limits). */
import { Secret } from '../secrets/secret.ts'
import { clipped, textsOf } from './event.ts'
import { basedUrl, type Format, json, secretOf, textOf } from './request.ts'

const origins: Readonly<Record<string, string>> = {
  us: 'https://api.opsgenie.com',
  eu: 'https://api.eu.opsgenie.com',
}

/** Opsgenie's web pages show a message and a description with their HTML. */
const withoutTags = (text: string): string => text.replaceAll('<', '‹').replaceAll('>', '›')

export const opsgenieRequest: Format = (config, { event }, { baseUrls }) => {
  const { summary, facts, changes } = textsOf(event)
  const details = [...facts.map(([name, value]) => `${name}: ${value}`), ...changes].join('\n')
  const alert = {
    message: clipped(withoutTags(summary), 130),
    alias: event.id,
    description: clipped(withoutTags(details), 15_000),
    details: { action: event.action, event_id: event.id, result: event.result, timestamp: event.timestamp },
    entity: clipped(withoutTags(event.resource.id ?? event.resource.type), 512),
    source: 'octomil-settings-api',
    priority: textOf(config, 'priority') ?? 'P3',
  }
  const url = `${origins[textOf(config, 'region') ?? 'us']}/v2/alerts`
  return {
    transport: 'http',
    method: 'POST',
    url: new Secret(basedUrl(url, baseUrls?.opsgenie)),
    headers: { ...json, authorization: new Secret(`GenieKey ${secretOf(config, 'api_key').reveal()}`) },
    body: JSON.stringify(alert),
  }
}
