/** Errors and usage of every command. It imports nothing, so that all commands can import it. */

/** An error that a person can fix: printed with the usage, without a stack trace. */
export class UsageError extends Error {}

/** A failure that a person can put right and that no option caused: printed without a stack trace and without the usage. */
export class CommandError extends Error {}

/** @throws UsageError naming the option and its range, for text that is not a whole number within it */
export function wholeNumber(option: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (/^-?\d+$/.test(text) && value >= min && value <= max) return value
  throw new UsageError(`${option} must be a whole number from ${min} to ${max}, not ${text === '' ? 'empty' : text}`)
}

/**
 * Runs a command to its end. A wrong option prints its message and the usage, which `--help` or `-h` prints too. An error that
 * `explain` knows prints that sentence; any other error prints as it is.
 */
export function runMain(main: () => Promise<void>, usage: string, explain: (error: Error) => string | undefined): void {
  if (process.argv.slice(2).some((option) => option === '--help' || option === '-h')) {
    console.log(usage)
    return
  }
  main().catch((error: Error & { code?: string }) => {
    const isUsage = error instanceof UsageError || String(error.code).startsWith('ERR_PARSE_ARGS')
    if (error instanceof CommandError) console.error(error.message)
    else console.error(isUsage ? `${error.message}\n\n${usage}` : (explain(error) ?? error))
    process.exit(1)
  })
}
