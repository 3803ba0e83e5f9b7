/** Zod's issues as faults of the input: one a field, an unknown field named itself and not its parent. */
import type * as z from 'zod'
import { editDistance } from '../edit-distance.ts'
import type { InputFault } from './problem.ts'

/** More are of no use to anybody, and an answer must not grow with a hostile request. */
const maxFaults = 50
const maxPathLength = 200

/** A path as text: `limits.max_devices.limit`. */
export const dotted = (path: readonly PropertyKey[]): string => path.map(String).join('.').slice(0, maxPathLength)

export const unknownField = (path: readonly PropertyKey[]): InputFault => ({
  path: dotted(path),
  code: 'unknown_field',
  message: 'is not a field of this request; check the spelling or leave it out',
})

/**
 * The faults of a parse (run with `reportInput`), under a path that leads to what was parsed.
 *
 * Checks of one value go on after the first that fails, and most of what they find follows from it: a text where a list
 * belongs is too short a text as well. So the first fault stands. Of two bounds it is the last: `int` brings one of its
 * own, which tells nobody what is allowed. A body can have 50,000 faults: those that are not told are not worded.
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
    const own = issue.message.startsWith('Unrecognized key') ? {} : { message: issue.message }
    return issue.keys.slice(0, maxFaults).map((name) => ({ ...unknownField([...path, name]), ...own }))
  }
  if (issue.input === undefined && (issue.code === 'invalid_type' || issue.code === 'invalid_value')) {
    return [{ path: dotted(path), code: 'missing_field', message: 'is required' }]
  }
  // The keys of a record have issues of their own inside.
  if (issue.code === 'invalid_key') {
    return issue.issues.map((inner) => ({ path: dotted(path), code: 'invalid_key', message: messageOf(inner) }))
  }
  return [
    { path: dotted(path), code: issue.code === 'custom' ? 'invalid_value' : issue.code, message: messageOf(issue) },
  ]
}

function messageOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_value') return notAllowed(issue.input, issue.values.map(String))
  // Zod names the values of a discriminator only where no option took them; its input is the object around it.
  if (issue.code === 'invalid_union' && 'options' in issue && issue.options && issue.discriminator) {
    const { input, discriminator, options } = issue
    const value = typeof input === 'object' && input !== null ? Reflect.get(input, discriminator) : undefined
    return notAllowed(value, options.map(String))
  }
  return issue.message
}

/** More are no help to whoever reads one line; the reference has them all. */
const mostListed = 9
/** What may be said back: it is short, and holds nothing that would leave the quotation or the line. */
const quotable = /^[ -_a-~]{1,64}$/
/** What is longer than every value by more is no typo of one, and may be a secret in the wrong field. */
const mostExtra = 8

/** Enums are not secret, so that a wrong value of one may be said back. */
function notAllowed(input: unknown, values: readonly string[]): string {
  const longest = Math.max(...values.map(({ length }) => length)) + mostExtra
  const given = typeof input === 'string' && input.length <= longest && quotable.test(input) ? input : undefined
  const near = given === undefined ? undefined : nearest(given, values)
  const what = given === undefined ? 'is' : `\`${given}\` is`
  const listed =
    values.length > mostListed
      ? `all ${values.length} are in the reference, /api/v1/docs`
      : values.map((value) => `\`${value}\``).join(', ')
  return `${what} not one of the allowed values (${listed})${near === undefined ? '' : `; did you mean \`${near}\`?`}`
}

/** The value that a typo may have meant: at most a third of it is to be changed. */
function nearest(given: string, values: readonly string[]): string | undefined {
  const text = given.trim().toLowerCase()
  let best: string | undefined
  let fewest = Math.floor(text.length / 3) + 1
  for (const value of values) {
    // Whoever is this much longer or shorter is as far away at least.
    if (Math.abs(value.length - text.length) >= fewest) continue
    const edits = editDistance(text, value.toLowerCase())
    if (edits < fewest) [best, fewest] = [value, edits]
  }
  return best
}
