/** What a patch of an integration may hold: known members are applied, all others only named. */
import * as z from 'zod'
import { faultsOf, parseOptions } from '../faults.ts'
import { presentFields } from '../patch-fields.ts'
import { invalidInput } from '../problem.ts'
import { parseConfig, splitKnown } from './config.ts'
import { anyEventTypesField } from './events.ts'
import { FlatFields, fromFlat } from './published.ts'
import { furtherInput, type patchIntegrationBody } from './record.ts'
import type { IntegrationType } from './types.ts'

/** Of the name of a field that is only named. */
const maxNameLength = 200

type Body = z.infer<ReturnType<typeof patchIntegrationBody>>

/**
 * Parts a patch into what is applied and the names of what is not.
 *
 * @throws ProblemError `invalid_input` when a field of the configuration is of the wrong shape
 */
export function readPatch(type: IntegrationType, body: NameAndSwitch & { config?: unknown }) {
  const {
    name,
    enabled,
    config = {},
    event_types,
    notify_on_deploy,
    notify_on_incident,
    notify_on_approval,
    ...rest
  } = body.config instanceof FlatFields ? flatBody(type, body, body.config) : (body as Body)
  const { known, ignored } = splitKnown(type, config)
  return {
    fields: {
      ...presentFields({ name, enabled, notify_on_deploy, notify_on_incident, notify_on_approval }),
      // Null is what the type has by itself.
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
  // A configuration of flat fields is made of this type's own.
  return { name, enabled, ...further.data, ...(config ? { config: config as Record<string, unknown> } : {}) }
}
