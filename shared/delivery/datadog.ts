/**
 * Datadog's logs intake. https://docs.datadoghq.com/api/latest/logs/#send-logs and, for the attributes,
 * https://docs.datadoghq.com/standard-attributes/.
 */
import { Secret } from '../secrets/secret.ts'
import { textsOf } from './event.ts'
import { basedUrl, type Format, json, secretOf, textOf } from './request.ts'

export const datadogRequest: Format = (config, { event }, { baseUrls }) => {
  const log = {
    ddsource: 'octomil',
    service: 'octomil-settings-api',
    ddtags: ((config.tags as readonly string[] | undefined) ?? []).join(','),
    message: textsOf(event).summary,
    status: event.result === 'denied' ? 'warn' : 'info',
    timestamp: event.timestamp,
    evt: { name: event.action, id: event.id, outcome: event.result },
    usr: { id: event.actor.id, ...(event.actor.email === undefined ? {} : { email: event.actor.email }) },
    octomil: event,
  }
  const url = `https://http-intake.logs.${textOf(config, 'site') ?? 'datadoghq.com'}/api/v2/logs`
  return {
    transport: 'http',
    method: 'POST',
    url: new Secret(basedUrl(url, baseUrls?.datadog)),
    headers: { ...json, 'dd-api-key': secretOf(config, 'api_key') },
    body: JSON.stringify([log]),
  }
}
