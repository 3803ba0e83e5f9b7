/**
 * The flat fields of the published contract. Their meaning depends on the type, which only the stored integration has.
 * So a patch carries them unchanged until the type is known.
 */
import { type InputFault, invalidInput } from '../problem.ts'
import type { IntegrationType } from './types.ts'

/** Flat fields as a published client sent them. Requests in our own format cannot contain them. */
export class FlatFields {
  readonly values: Readonly<Record<string, unknown>>

  constructor(values: Readonly<Record<string, unknown>>) {
    this.values = values
  }
}

/** Members that each published type has. */
export const notices = ['notify_on_deploy', 'notify_on_incident', 'notify_on_approval'] as const

/** The name of each flat field in the configuration, by type. */
export const flatNames: Partial<Record<IntegrationType, Readonly<Record<string, string>>>> = {
  slack: { webhook_url: 'webhook_url', slack_workspace_id: 'workspace_id', slack_channel_id: 'channel' },
  email: { email_recipients: 'recipients', email_from: 'reply_to' },
  webhook: { webhook_url: 'url' },
  siem: { siem_endpoint: 'endpoint', siem_format: 'format' },
}

const listOf = (text: string): string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')

/** Flat fields with a list as comma-separated text. */
const lists: readonly string[] = ['email_recipients']

/**
 * Translates flat fields into members of our own request format.
 *
 * @throws ProblemError `invalid_input` for a field that the type does not have
 */
export function fromFlat(type: IntegrationType, { values }: FlatFields): Record<string, unknown> {
  const names = flatNames[type]
  const { webhook_events: events, ...rest } = values
  const config: Record<string, unknown> = {}
  const members: Record<string, unknown> = events === undefined ? {} : { event_types: listOf(String(events)) }
  const faults: InputFault[] = []
  for (const [name, value] of Object.entries(rest)) {
    const field = names?.[name]
    if (names && (notices as readonly string[]).includes(name)) members[name] = value
    else if (field === undefined)
      faults.push({ path: name, code: 'unknown_field', message: `is not a field of an integration of type ${type}` })
    else config[field] = lists.includes(name) ? listOf(String(value)) : value
  }
  if (names === undefined && events !== undefined)
    faults.push({ path: 'webhook_events', code: 'unknown_field', message: `cannot be changed here for type ${type}` })
  if (faults.length > 0) throw invalidInput(faults)
  return { ...members, ...(Object.keys(config).length > 0 ? { config } : {}) }
}
