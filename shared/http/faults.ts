/** Zod's issues as faults of the input: one a field, an unknown field named itself and not its parent. */
import type * as z from 'zod'
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

/** The faults of a parse (run with `reportInput`), under a path that leads to what was parsed. */
export const faultsOf = (error: z.core.$ZodError, under: readonly PropertyKey[] = []): InputFault[] =>
  oneForEachPath(error.issues.flatMap((issue) => toFaults(issue, under))).slice(0, maxFaults)

/**
 * Checks of one value go on after the first that fails, and most of what they find follows from it: a text where a list
 * belongs is too short a text as well. So the first fault stands. Of two bounds it is the last: `int` brings one of its
 * own, which tells nobody what is allowed.
 */
function oneForEachPath(faults: readonly InputFault[]): InputFault[] {
  const byPath = new Map<string, InputFault>()
  for (const fault of faults) {
    const kept = byPath.get(fault.path)
    if (!kept || (fault.code === kept.code && bounds.has(fault.code))) byPath.set(fault.path, fault)
  }
  return [...byPath.values()]
}

const bounds = new Set(['too_big', 'too_small'])

function toFaults(issue: z.core.$ZodIssue, under: readonly PropertyKey[]): InputFault[] {
  const path = [...under, ...issue.path]
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.slice(0, maxFaults).map((name) => unknownField([...path, name]))
  }
  if (issue.input === undefined && (issue.code === 'invalid_type' || issue.code === 'invalid_value')) {
    return [{ path: dotted(path), code: 'missing_field', message: 'is required' }]
  }
  // The keys of a record have issues of their own inside.
  if (issue.code === 'invalid_key') {
    return issue.issues.map(({ message }) => ({ path: dotted(path), code: 'invalid_key', message }))
  }
  return [{ path: dotted(path), code: issue.code === 'custom' ? 'invalid_value' : issue.code, message: issue.message }]
}
