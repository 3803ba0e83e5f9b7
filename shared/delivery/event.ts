/** The event of a delivery as JSON, and its texts for people. */
import type { AuditAction, AuditEvent } from '../audit/event.ts'

/** An audit event as operation 52 serves it, without `sealed`; or the event of a test. */
export type DeliveredEvent = Omit<AuditEvent, 'sealed' | 'action'> & { action: AuditAction | 'integration.test' }

/** An event and its JSON. A stored event changes in `sealed` alone, so each attempt renders the same bytes. */
export interface RenderedEvent {
  event: DeliveredEvent
  data: string
}

export function renderEvent(event: DeliveredEvent & { sealed?: unknown }): RenderedEvent {
  const { sealed: _sealed, ...delivered } = event
  return { event: delivered, data: JSON.stringify(delivered) }
}

/** Control characters, and characters that change the direction of the text around them. */
const unsafe = /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]+/gu

/**
 * Text of an event as one line that no vendor shows as a link. A zero-width space breaks the patterns that clients link,
 * since they ignore every escape.
 */
export const plainText = (text: string): string =>
  text
    .toWellFormed()
    .replaceAll(unsafe, ' ')
    .replaceAll('://', ':\u200b//')
    .replaceAll('](', ']\u200b(')
    .replaceAll(/\bwww\./gi, (found) => `${found.slice(0, -1)}\u200b.`)

/** The same, for texts that callers choose. Mail programs also link names of hosts without a scheme: `example.com/login`. */
const unlinkedText = (text: string): string => plainText(text).replaceAll(/\.(?=\p{L}{2})/gu, '.\u200b')

/** At most `max` UTF-16 units, with an ellipsis, and no half of a surrogate pair. */
export const clipped = (text: string, max: number): string =>
  text.length <= max ? text : `${text.slice(0, max - 1).replace(/[\ud800-\udbff]$/, '')}…`

const shownValue = (value: unknown): string =>
  value === undefined ? '(none)' : typeof value === 'string' ? value : JSON.stringify(value)

/** Changes that a message lists. The webhook and the log types carry all of them. */
const maxChanges = 20

/** The texts of a message: what happened, who did it, when, and the changes. */
export function textsOf({ action, actor, resource, result, timestamp, changes, id, request_id }: DeliveredEvent) {
  const target = resource.name ?? resource.id
  const what = `${resource.type}${target === undefined ? '' : ` ${clipped(unlinkedText(target), 200)}`}`
  const denied = result === 'denied' ? ' (denied)' : ''
  const lines = changes.slice(0, maxChanges).map(({ field, before, after }) => {
    const [from, to] = [before, after].map((value) => clipped(unlinkedText(shownValue(value)), 100))
    return `${clipped(plainText(field), 100)}: ${from} → ${to}`
  })
  const rest = changes.length - lines.length
  return {
    title: `${action}${denied}`,
    summary: `${action}${denied}: ${what}`,
    facts: [
      ['What', `${action}${denied}`],
      ['Resource', what],
      ['Who', `${actor.type} ${clipped(plainText(actor.email ?? actor.id), 200)}`],
      ['When', timestamp],
      ['Event', id],
      ['Request', clipped(unlinkedText(request_id), 200)],
    ] as readonly (readonly [name: string, value: string])[],
    changes: rest > 0 ? [...lines, `and ${rest} more`] : lines,
  }
}
