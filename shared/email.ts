/** The rule for e-mail addresses: RFC 5321 (lengths) and RFC 5322 (dot-atom), with IDN domains. */
import * as z from 'zod'

/** RFC 5322, section 3.2.3. Quoted local parts are legal too, but no current mail system issues them. */
const localPart = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/
const label = /^(?!-)[\p{L}\p{M}\p{N}-]{1,63}(?<!-)$/u

/** Whether a text is an address: at most 64 octets before the @, at most 254 in all, a domain of two or more labels. */
export function isEmailAddress(text: string): boolean {
  const at = text.lastIndexOf('@')
  const [local, domain] = [text.slice(0, at), text.slice(at + 1)]
  if (at < 1 || text.length > 254 || local.length > 64 || !localPart.test(local)) return false
  const labels = domain.split('.')
  return (
    labels.length > 1 &&
    domain.length <= 253 &&
    labels.every((part) => label.test(part)) &&
    !/^\d+$/.test(labels.at(-1) ?? '')
  )
}

const wrong = 'must be an e-mail address like ops@example.com'

/** An e-mail address, unchanged. */
export const emailField = () => z.string(wrong).max(254, wrong).refine(isEmailAddress, wrong)
