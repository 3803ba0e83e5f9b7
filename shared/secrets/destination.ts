/** A patch that changes the destination of stored secrets must send them again. */
import type { InputFault } from '../problem.ts'

/** Changing the destination requires the secret again, to prevent exfiltration to a caller's host. */
export const secretNeeded = (secret: string, destination: string, canBeDropped = true): InputFault => ({
  path: secret,
  code: 'missing_field',
  message: `is required with a new ${destination}: stored secrets are not sent to a new destination${canBeDropped ? '; null deletes the secret' : ''}`,
})
