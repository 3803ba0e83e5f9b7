/** Patches of integrations: applies known members and only names the others. */
import * as z from 'zod'
import { faultsOf, parseOptions } from '../faults.ts'
import { presentFields } from '../patch-fields.ts'
import { invalidInput } from '../problem.ts'
import { parseConfig, splitKnown } from './config.ts'
import { anyEventTypesField } from './events.ts'
import { FlatFields, fromFlat } from './published.ts'
import { furtherInput, type patchIntegrationBody } from './record.ts'
import type { IntegrationType } from './types.ts'

/** Maximum length of the name of an ignored field. */
const maxNameLength = 200

type Body = z.infer<ReturnType<typeof patchIntegrationBody>>

/**
 * Splits a patch into the fields to apply and the names of the others.
 *
 * @throws ProblemError `invalid_input` when a field of the configuration has the wrong format
 */
export function readPatch(type: IntegrationType, body: NameAndSwitch & { config?: unknown }) {
  const {
    name,
    enabled,
    config = {},
    event_types,
    include_denied,
    notify_on_deploy,
    notify_on_incident,
    notify_on_approval,
    ...rest
  } = body.config instanceof FlatFields ? flatBody(type, body, body.config) : (body as Body)
  const { known, ignored } = splitKnown(type, config)
  return {
    fields: {
      ...presentFields({ name, enabled, include_denied, notify_on_deploy, notify_on_incident, notify_on_approval }),
      // Null restores the default of the type.
      ...(event_types === undefined ? {} : { event_types: event_types ?? undefined }),
    },
    config: parseConfig(type, known),
    ignored_fields: [...Object.keys(rest), ...ignored].map((field) => field.slice(0, maxNameLength)),
  }
}

interface NameAndSwitch {
  name?: string | undefined
  enabled?: boolean | undefined
}

function flatBody(type: IntegrationType, { name, enabled }: NameAndSwitch, flat: FlatFields): Body {
  const { config, ...members } = fromFlat(type, flat)
  const further = z
    .object({ ...furtherInput(), event_types: anyEventTypesField().optional() })
    .safeParse(members, parseOptions)
  if (!further.success) throw invalidInput(faultsOf(further.error))
  // The flat fields of a type make a configuration of that type.
  return { name, enabled, ...further.data, ...(config ? { config: config as Record<string, unknown> } : {}) }
}
