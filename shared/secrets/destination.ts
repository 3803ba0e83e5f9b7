/** Stored secrets and where they are sent: a patch that moves the destination brings the secrets again. */
import type { InputFault } from '../problem.ts'

/** Without the secret in the same request, a caller who does not know it could have it sent to a host of their own. */
export const secretNeeded = (secret: string, destination: string, canBeDropped = true): InputFault => ({
  path: secret,
  code: 'missing_field',
  message: `is required with a new ${destination}: a stored secret is not sent to another place${canBeDropped ? '; null drops it' : ''}`,
})
