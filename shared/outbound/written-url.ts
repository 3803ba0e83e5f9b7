/**
 * The static part of the outbound guard checks the text of a URL: scheme, userinfo, port, literal address. Names are
 * resolved only when the URL is called.
 */
import { domainToUnicode } from 'node:url'
import * as z from 'zod'
import { isAllowedAddress } from './address.ts'

export interface WrittenUrlRules {
  /** Allowed schemes, without the colon. */
  schemes?: readonly ('https' | 'http')[]
  /** Literal addresses that are allowed although they are not public. */
  allowedCidrs?: readonly string[]
}

/** Ports of other protocols. Browsers block them too (Fetch standard, "bad port"). */
const badPorts = new Set([
  1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110,
  111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532,
  540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061,
  6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
])

/** Scheme and authority by RFC 3986: everything up to the first `/`, `?` or `#` after `://`. */
const literalAuthority = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]+)/i

/**
 * Why other parsers could read a URL differently; undefined when every parser finds the same host. Our parser (WHATWG)
 * repairs text that RFC 3986 does not: backslashes, missing slashes, percent-encoded or numeric hosts.
 */
export function differentialFault(text: string): string | undefined {
  return shapeFault(text) ?? userInfoFault(text) ?? spellingFault(text)
}

const wholeUrl = 'must be a whole URL, like https://example.com/path'

function shapeFault(text: string): string | undefined {
  if (!URL.canParse(text)) return wholeUrl
  if (/[\s\p{Cc}]/u.test(text)) return 'must not hold spaces or line breaks'
  if (text.includes('\\')) return 'must not hold a backslash'
  return literalAuthority.test(text) ? undefined : wholeUrl
}

const authorityOf = (text: string): string => literalAuthority.exec(text)?.[1] ?? ''

const userInfoFault = (text: string): string | undefined =>
  authorityOf(text).includes('@') ? 'must not hold a user name or password before the host' : undefined

/** Parsers agree on shortened IPv6 addresses and on the ASCII form of a plain name. */
function spellingFault(text: string): string | undefined {
  const written = authorityOf(text).replace(/:\d*$/, '').toLowerCase()
  const { hostname } = new URL(text)
  const isPlain = written === hostname || written.startsWith('[') || written === domainToUnicode(hostname)
  return isPlain ? undefined : `must name its host as ${hostname}`
}

/**
 * The normalized form of a URL, for storage. A URL without a path stays without one, since issuers are compared as
 * text.
 */
export function normalizedUrl(text: string): string {
  const { href } = new URL(text)
  return literalAuthority.exec(text)?.[0] === text ? href.replace(/\/$/, '') : href
}

/** The fault of a URL's text; undefined if there is none. */
export function writtenUrlFault(
  text: string,
  { schemes = ['https'], allowedCidrs = [] }: WrittenUrlRules = {},
): string | undefined {
  const fault = shapeFault(text)
  if (fault) return fault
  const url = new URL(text)
  if (!schemes.some((scheme) => url.protocol === `${scheme}:`)) return `must start with ${schemes.join(':// or ')}://`
  const userInfo = userInfoFault(text)
  if (userInfo) return userInfo
  if (url.port !== '' && (url.port === '0' || badPorts.has(Number(url.port)))) return `must not name port ${url.port}`
  return hostFault(url.hostname, allowedCidrs) ?? spellingFault(text)
}

/**
 * The URL parser has already converted every form of an IPv4 address (octal, hex, one number) to four decimal numbers.
 */
function hostFault(host: string, allowedCidrs: readonly string[]): string | undefined {
  // A name can end with the dot of the DNS root.
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

/** A URL field that must meet the rules and is stored in its normalized form. */
export const writtenUrlField = (rules: WrittenUrlRules = {}, text: z.ZodString = z.string()) =>
  text
    .max(2048)
    .superRefine((value, context) => {
      const fault = writtenUrlFault(value, rules)
      if (fault) context.addIssue({ code: 'custom', message: fault })
    })
    .overwrite((value) => (writtenUrlFault(value, rules) === undefined ? normalizedUrl(value) : value))
    .meta({ format: 'uri', pattern: `^(${(rules.schemes ?? ['https']).join('|')})://[^\\s\\\\]+$` })
