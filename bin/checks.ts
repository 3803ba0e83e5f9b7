/** Checks that a command runs in sequence. Each prints a line: finding, duration and fix. */

export type Finding =
  | { verdict: 'ok'; note?: string }
  /** A warning: it works now, or could not be checked. Does not fail the run. */
  | { verdict: 'warn'; found: string; fix: string }
  | { verdict: 'FAIL'; expected: string; got: string; fix: string }
  | { verdict: 'skip'; why: string }

/** A check as data. `--skip` and the output use its name. */
export interface Check<Context> {
  name: string
  run(context: Context): Promise<Finding>
}

export const ok = (note?: string): Finding => ({ verdict: 'ok', ...(note === undefined ? {} : { note }) })
export const warn = (found: string, fix: string): Finding => ({ verdict: 'warn', found, fix })
export const fail = (expected: string, got: string, fix: string): Finding => ({ verdict: 'FAIL', expected, got, fix })
export const skip = (why: string): Finding => ({ verdict: 'skip', why })

interface Run<Context> {
  context: Context
  print(line: string): void
  /** Converts an error of a check to a finding. */
  explain(error: unknown): Finding
  /** The finding of a check that must not run now; undefined if it may run. */
  obstacle(name: string): Finding | undefined
}

export interface Tally {
  failed: number
  warned: number
}

/** Runs checks in order and prints a line after each. */
export async function runChecks<Context>(
  checks: readonly Check<Context>[],
  { context, print, explain, obstacle }: Run<Context>,
): Promise<Tally> {
  const tally: Tally = { failed: 0, warned: 0 }
  for (const { name, run } of checks) {
    const startedMs = performance.now()
    const finding = obstacle(name) ?? (await run(context).catch(explain))
    print(lineOf(name, finding, Math.round(performance.now() - startedMs)))
    if (finding.verdict === 'FAIL') tally.failed++
    if (finding.verdict === 'warn') tally.warned++
  }
  return tally
}

function lineOf(name: string, finding: Finding, ms: number): string {
  switch (finding.verdict) {
    case 'ok':
      return `ok   ${name}  ${ms} ms${finding.note === undefined ? '' : `  ${finding.note}`}`
    case 'warn':
      return `warn ${name}: ${finding.found}, fix: ${finding.fix} (${ms} ms)`
    case 'FAIL':
      return `FAIL ${name}: expected ${finding.expected}, got ${finding.got}, fix: ${finding.fix} (${ms} ms)`
    case 'skip':
      return `skip ${name}: ${finding.why}`
  }
}

/** The last line of a run. */
export const summary = ({ failed, warned }: Tally): string =>
  failed + warned === 0 ? 'All checks passed.' : `${failed} failed, ${warned} with a warning.`
