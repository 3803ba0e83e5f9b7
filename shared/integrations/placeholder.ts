/** Placeholder values from examples, which people paste and forget to replace. */

const words =
  /your[-_ ]?(?:api|key|token|secret|url|webhook)|change[-_ ]?me|placeholder|replace[-_ ]?(?:me|this)|\btodo\b|dummy|lorem/i
const domains = /(?:^|[/@.])(?:example\.(?:com|org|net)|test\.invalid|localhost)(?:[/:]|$)/i

/** Whether a value looks like a placeholder. */
export const looksLikePlaceholder = (value: string): boolean =>
  isPlaceholder(value.replace(/%3C|%3E|%7B|%7D/gi, decoded))

/** Stored URLs have their brackets percent-encoded. */
const decoded = (encoded: string): string => decodeURIComponent(encoded)

const isPlaceholder = (value: string): boolean =>
  words.test(value) ||
  domains.test(value) ||
  /[<{[][\w\s-]+[>}\]]/.test(value) ||
  /(?:^|[^0-9a-z])(?:x{6,}|0{8,}|1234567890?)/i.test(value) ||
  /^(.)\1{7,}$/.test(value)
