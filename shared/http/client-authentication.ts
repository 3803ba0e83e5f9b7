/** HTTP Basic for operations that OAuth clients call: the password is the key (RFC 6749, section 2.3.1). */
import { ProblemError } from '../problem.ts'

type Headers = Readonly<Record<string, string>>

export const sendsBasic = (headers: Headers): boolean => /^basic(?: |$)/i.test(headers.authorization ?? '')

/**
 * The headers with a Basic credential as `X-API-Key`. The user name is not looked at.
 *
 * @throws ProblemError `authentication_failed`
 */
export function withClientCredential(headers: Headers): Headers {
  if (!sendsBasic(headers)) return headers
  const { authorization = '', 'x-api-key': key, ...rest } = headers
  const password = passwordOf(authorization.slice('basic '.length).trim())
  if (!password) {
    throw new ProblemError(
      'authentication_failed',
      'The Basic credential must be base64 of <name>:<API key>, each form-encoded.',
    )
  }
  if (key !== undefined && key.trim() !== password)
    throw new ProblemError('authentication_failed', 'Send one credential: Authorization and X-API-Key differ.')
  return { ...rest, 'x-api-key': password }
}

function passwordOf(encoded: string): string | undefined {
  const [, password] = /^[^:]*:(.*)$/s.exec(Buffer.from(encoded, 'base64').toString('utf8')) ?? []
  try {
    return password && decodeURIComponent(password.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}
