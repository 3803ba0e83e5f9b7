/**
 * Structured logs: a JSON line per entry, one per request at info. Each logged field is named; bodies and headers are never
 * logged.
 */
const levels = { DEBUG: 1, INFO: 2, WARN: 3, ERROR: 4, SILENT: 5 } as const
type Level = keyof typeof levels

interface Fields {
  readonly [name: string]: unknown
  readonly error?: Error
}

let threshold: number = levels.INFO

export const log = {
  debug: (message: string, fields?: Fields): void => write('DEBUG', message, fields),
  info: (message: string, fields?: Fields): void => write('INFO', message, fields),
  warn: (message: string, fields?: Fields): void => write('WARN', message, fields),
  error: (message: string, fields?: Fields): void => write('ERROR', message, fields),
  /** Entries below the level are not written. The default is INFO. */
  setLogLevel(level: Level): void {
    threshold = levels[level]
  },
}

/** To standard output and not by `console`, to which Lambda adds text that is not JSON. */
function write(level: Level, message: string, fields: Fields = {}): void {
  if (levels[level] < threshold) return
  const { error, ...rest } = fields
  const entry = { level, message, timestamp: new Date().toISOString(), service: 'octomil-settings', ...rest }
  process.stdout.write(`${JSON.stringify(error === undefined ? entry : { ...entry, error: entryOf(error) })}\n`)
}

/** An error's own further members are left out: they can hold anything. */
function entryOf(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return { message: String(error) }
  const { name, message, stack, cause } = error
  const metadata = '$metadata' in error ? { $metadata: error.$metadata } : {}
  const code = 'code' in error ? { code: String(error.code) } : {}
  const because = cause === undefined || depth >= maxCauses ? {} : { cause: entryOf(cause, depth + 1) }
  return { name, ...code, message, stack, ...metadata, ...because }
}

/** A cause can be its own cause. */
const maxCauses = 5
