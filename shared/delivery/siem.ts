/**
 * Collectors of security events: JSON, ArcSight CEF (Common Event Format, implementation standard, version 26) and
 * QRadar LEEF 2.0 (https://www.ibm.com/docs/en/dsm?topic=leef-overview).
 */
import { Secret } from '../secrets/secret.ts'
import type { DeliveredEvent, RenderedEvent } from './event.ts'
import { type Format, json, secretOf, textOf } from './request.ts'

export const siemRequest: Format = (config, rendered) => {
  const format = textOf(config, 'format')
  const token = config.token === undefined ? undefined : secretOf(config, 'token')
  return {
    transport: 'http',
    method: 'POST',
    url: secretOf(config, 'endpoint'),
    headers: {
      ...(format === 'json' ? json : { 'content-type': 'text/plain; charset=utf-8' }),
      ...(token ? { authorization: new Secret(`Bearer ${token.reveal()}`) } : {}),
    },
    body: format === 'cef' ? cefLine(rendered.event) : format === 'leef' ? leefLine(rendered) : rendered.data,
  }
}

const product = ['Octomil', 'Settings API', '1.0']
const severityOf = ({ result }: DeliveredEvent): string => (result === 'denied' ? '6' : '3')

/** A pipe ends a header field. */
const cefHeader = (text: string): string => text.replaceAll(/[\r\n]+/g, ' ').replaceAll(/[\\|]/g, '\\$&')
/** An equals sign ends a key of the extension. */
const cefValue = (text: string): string =>
  text.replaceAll(/[\\=]/g, '\\$&').replaceAll('\r', '\\r').replaceAll('\n', '\\n')

function cefLine(event: DeliveredEvent): string {
  const header = [...product, event.action, event.action, severityOf(event)].map(cefHeader).join('|')
  const extension: readonly (readonly [string, string | undefined])[] = [
    ['rt', String(Date.parse(event.timestamp))],
    ['externalId', event.id],
    ['act', event.action],
    ['outcome', event.result],
    ['suid', event.actor.id],
    ['suser', event.actor.email],
    [isIpv6(event.ip) ? 'c6a2' : 'src', event.ip],
    ...(isIpv6(event.ip) ? [['c6a2Label', 'Source IPv6 Address'] as const] : []),
    ['requestClientApplication', event.user_agent],
    ...labelled('cs1', 'resourceType', event.resource.type),
    ...labelled('cs2', 'resourceId', event.resource.id),
    ...labelled('cs3', 'resourceName', event.resource.name),
    ...labelled('cs4', 'changes', event.changes.length > 0 ? JSON.stringify(event.changes) : undefined),
    ...labelled('cs5', 'requestId', event.request_id),
    ...labelled('cs6', 'hash', event.hash),
  ]
  return `CEF:0|${header}|${known(extension)
    .map(([key, value]) => `${key}=${cefValue(value)}`)
    .join(' ')}`
}

const isIpv6 = (ip: string | undefined): boolean => ip?.includes(':') ?? false

const labelled = (key: string, label: string, value: string | undefined) =>
  value === undefined ? [] : ([[`${key}Label`, label] as const, [key, value] as const] as const)

const known = (pairs: readonly (readonly [string, string | undefined])[]): [string, string][] =>
  pairs.flatMap(([key, value]) => (value === undefined ? [] : [[key, value]]))

/** LEEF has no escape: a tab ends an attribute, and a line break ends the event. */
const leefValue = (text: string): string => text.replaceAll(/[\p{Cc}]+/gu, ' ')

function leefLine({ event, data }: RenderedEvent): string {
  const attributes = known([
    ['devTime', event.timestamp],
    ['devTimeFormat', "yyyy-MM-dd'T'HH:mm:ss.SSSX"],
    ['cat', event.resource.type],
    ['sev', severityOf(event)],
    ['usrName', event.actor.email ?? event.actor.id],
    ['src', event.ip],
    ['resource', event.resource.name ?? event.resource.id],
    ['outcome', event.result],
    ['eventUid', event.id],
    ['event', data],
  ]).map(([key, value]) => `${key}=${leefValue(value)}`)
  const header = [...product, event.action].map((part) => part.replaceAll('|', ' ')).join('|')
  return `LEEF:2.0|${header}|x09|${attributes.join('\t')}`
}
