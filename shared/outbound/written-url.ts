/**
 * The part of the outbound guard that works on a URL as it is written: scheme, userinfo, port, literal address. Names are
 * resolved when a URL is called, not before.
 */
import * as z from 'zod'
import { isAllowedAddress } from './address.ts'

export interface WrittenUrlRules {
  /** Schemes that are allowed, without the colon. */
  schemes?: readonly ('https' | 'http')[]
  /** Literal addresses that are allowed although they are not public. */
  allowedCidrs?: readonly string[]
}

/** Ports of other protocols, which no browser calls either (Fetch standard, "bad port"). */
const badPorts = new Set([
  1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110,
  111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532,
  540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061,
  6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
])

/** What is wrong with a URL as written; undefined when nothing is. */
export function writtenUrlFault(
  text: string,
  { schemes = ['https'], allowedCidrs = [] }: WrittenUrlRules = {},
): string | undefined {
  if (!URL.canParse(text)) return 'must be a whole URL, like https://example.com/path'
  if (/[\s\p{Cc}]/u.test(text)) return 'must not hold spaces or line breaks'
  const url = new URL(text)
  if (!schemes.some((scheme) => url.protocol === `${scheme}:`)) return `must start with ${schemes.join(':// or ')}://`
  if (url.username !== '' || url.password !== '') return 'must not hold a user name or password before the host'
  if (url.port !== '' && (url.port === '0' || badPorts.has(Number(url.port)))) return `must not name port ${url.port}`
  return hostFault(url.hostname, allowedCidrs)
}

/** The URL parser has brought every form of an IPv4 address (octal, hex, a single number) to four decimal numbers. */
function hostFault(host: string, allowedCidrs: readonly string[]): string | undefined {
  // A name may end in the dot of the root.
  const hostname = host.replace(/\.$/, '')
  const literal = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
  const isLiteral = hostname.startsWith('[') || /^\d+(?:\.\d+){3}$/.test(hostname)
  if (isLiteral) {
    return isAllowedAddress(literal, allowedCidrs) ? undefined : 'must not name a private, local or reserved address'
  }
  const isLoopbackName = hostname === 'localhost' || hostname.endsWith('.localhost')
  if (isLoopbackName && !isAllowedAddress('127.0.0.1', allowedCidrs)) return 'must not name this machine'
  return undefined
}

/** A URL field that is held to the rules. */
export const writtenUrlField = (rules: WrittenUrlRules = {}) =>
  z
    .string()
    .max(2048)
    .superRefine((text, context) => {
      const fault = writtenUrlFault(text, rules)
      if (fault) context.addIssue({ code: 'custom', message: fault })
    })
