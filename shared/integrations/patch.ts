/** What a patch of an integration may hold: three fields are applied, all others only named. */
import type * as z from 'zod'
import { presentFields } from '../http/patch.ts'
import { parseConfig, splitKnown } from './config.ts'
import type { patchIntegrationBody } from './record.ts'
import type { IntegrationType } from './types.ts'

/** Of the name of a field that is only named. */
const longestName = 200

/**
 * Parts a patch into what is applied and the names of what is not.
 *
 * @throws ProblemError `invalid_input` when a field of the configuration is of the wrong shape
 */
export function readPatch(type: IntegrationType, body: z.infer<ReturnType<typeof patchIntegrationBody>>) {
  const { name, enabled, config = {}, ...rest } = body
  const { known, ignored } = splitKnown(type, config)
  return {
    fields: presentFields({ name, enabled }),
    config: parseConfig(type, known),
    ignored_fields: [...Object.keys(rest), ...ignored].map((field) => field.slice(0, longestName)),
  }
}
