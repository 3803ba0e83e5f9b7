/** Turns Zod's issues into faults of the input: one per field. An unknown field is named itself, not its parent. */
import type * as z from 'zod'
import { editDistance } from './edit-distance.ts'
import type { InputFault } from './problem.ts'

/** More faults do not help, and an answer must not grow with a hostile request. */
const maxFaults = 50
const maxPathLength = 200

/** A path as text: `limits.max_devices.limit`. */
export const dotted = (path: readonly PropertyKey[]): string => path.map(String).join('.').slice(0, maxPathLength)

const unknownFieldMessage = 'is not a field of this request; check the spelling or leave it out'

export const unknownField = (path: readonly PropertyKey[], message = unknownFieldMessage): InputFault => ({
  path: dotted(path),
  code: 'unknown_field',
  message,
})

/** Options for parsing requests: messages use the value, and our wording where the schema has none. */
export const parseOptions: z.core.ParseContext<z.core.$ZodIssue> = { reportInput: true, error: messageFor }

/**
 * The faults of a parse with `parseOptions`. `under` is the path of the parsed value.
 *
 * Zod continues after the first failed check, and later issues usually follow from it: a text in place of a list is
 * also too short. So the first fault of a path counts. Of two bounds the last counts, since `int` adds a bound of its
 * own that does not help. A body can have 50,000 faults; this words only the reported ones.
 */
export function faultsOf(error: z.core.$ZodError, under: readonly PropertyKey[] = []): InputFault[] {
  const byPath = new Map<string, InputFault>()
  for (const issue of error.issues) {
    if (byPath.size > maxFaults) break
    for (const fault of toFaults(issue, under)) {
      const kept = byPath.get(fault.path)
      if (!kept || (fault.code === kept.code && bounds.has(fault.code))) byPath.set(fault.path, fault)
    }
  }
  return [...byPath.values()].slice(0, maxFaults)
}

const bounds = new Set(['too_big', 'too_small'])

function toFaults(issue: z.core.$ZodIssue, under: readonly PropertyKey[]): InputFault[] {
  const path = [...under, ...issue.path]
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.slice(0, maxFaults).map((name) => unknownField([...path, name], issue.message))
  }
  if (issue.input === undefined && (issue.code === 'invalid_type' || issue.code === 'invalid_value')) {
    return [{ path: dotted(path), code: 'missing_field', message: 'is required' }]
  }
  // The issues of an invalid record key are nested.
  if (issue.code === 'invalid_key') {
    return issue.issues.map((inner) => ({ path: dotted(path), code: 'invalid_key', message: inner.message }))
  }
  return [{ path: dotted(path), code: codeOf(issue), message: issue.message }]
}

const codeOf = (issue: z.core.$ZodIssue): string =>
  issue.code === 'custom' ? String(issue.params?.code ?? 'invalid_value') : issue.code

/** Our wording for an issue without a message of its schema. */
function messageFor(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${typeNames[issue.expected] ?? 'of another type'}${butIs(issue)}`
    case 'too_big':
      return `must ${bound(issue.origin, issue.maximum, issue.inclusive ? 'at most' : 'less than')}`
    case 'too_small':
      return `must ${bound(issue.origin, issue.minimum, issue.inclusive ? 'at least' : 'more than')}`
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`
    case 'invalid_value':
      return notAllowed(issue.input, issue.values.map(String))
    case 'unrecognized_keys':
      return unknownFieldMessage
    case 'invalid_union':
      return unionMessage(issue)
    case 'invalid_format':
      return 'has the wrong format'
    default:
      return 'has a value that is not allowed'
  }
}

/** Zod lists the values of a discriminator only when no option matches. Then its input is the enclosing object. */
function unionMessage({ input, discriminator, options }: z.core.$ZodRawIssue<z.core.$ZodIssueInvalidUnion>): string {
  if (!Array.isArray(options) || typeof discriminator !== 'string') return 'has none of the allowed forms'
  const value = typeof input === 'object' && input !== null ? Reflect.get(input, discriminator) : undefined
  return notAllowed(value, options.map(String))
}

const typeNames: Record<string, string> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'an object',
  record: 'an object',
  null: 'null',
  undefined: 'left out',
}

function butIs({ input, expected }: { input?: unknown; expected: string }): string {
  const type = input === null ? 'null' : Array.isArray(input) ? 'array' : typeof input
  const name = type === expected || type === 'boolean' ? undefined : typeNames[type]
  return name === undefined || expected === 'int' ? '' : `, not ${name}`
}

/** The unit that a bound counts, by type; numbers have none. */
const counted: Record<string, readonly [one: string, many: string]> = {
  string: ['character', 'characters'],
  array: ['entry', 'entries'],
  set: ['entry', 'entries'],
  map: ['entry', 'entries'],
  object: ['field', 'fields'],
  record: ['field', 'fields'],
}

function bound(origin: string, limit: number | bigint | Date | string, how: string): string {
  const [one, many] = counted[origin] ?? []
  return one === undefined ? `be ${how} ${limit}` : `have ${how} ${limit} ${Number(limit) === 1 ? one : many}`
}

/** A one-line message with more values is hard to read; the reference lists all of them. */
const maxListed = 9
/** Values that a message can repeat: short, and without characters that leave the quotation or the line. */
const quotable = /^[ -_a-~]{1,64}$/
/** A value that exceeds every allowed value by more than this is no typo. It may be a secret in the wrong field. */
const maxExtra = 8

/** Enum fields hold no secrets, so the message can repeat a wrong value. */
function notAllowed(input: unknown, values: readonly string[]): string {
  const longest = Math.max(...values.map(({ length }) => length)) + maxExtra
  const given = typeof input === 'string' && input.length <= longest && quotable.test(input) ? input : undefined
  const near = given === undefined ? undefined : nearest(given, values)
  const what = given === undefined ? 'is' : `\`${given}\` is`
  const listed =
    values.length > maxListed
      ? `see /api/v1/docs for all ${values.length}`
      : values.map((value) => `\`${value}\``).join(', ')
  const hint = given?.includes('*') ? wildcardHint(values) : near && `did you mean \`${near}\`?`
  return `${what} not one of the allowed values (${listed})${hint ? `; ${hint}` : ''}`
}

/** Scopes have no wildcards; bundles stand for many. */
function wildcardHint(values: readonly string[]): string | undefined {
  const bundles = values.filter((value) => value.startsWith('admin:')).map((value) => `\`${value}\``)
  return bundles.length === 0 ? undefined : `there are no wildcards; the bundles are ${bundles.join(' and ')}`
}

/** The value that a typo probably meant: at most a third of its letters differ. */
export function nearest(given: string, values: readonly string[]): string | undefined {
  const text = given.trim().toLowerCase()
  let best: string | undefined
  let fewest = Math.floor(text.length / 3) + 1
  for (const value of values) {
    // The length difference is a lower bound on the edit distance; skip hopeless candidates.
    if (Math.abs(value.length - text.length) >= fewest) continue
    const edits = editDistance(text, value.toLowerCase())
    if (edits < fewest) [best, fewest] = [value, edits]
  }
  return best
}
