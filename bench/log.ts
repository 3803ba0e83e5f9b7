/** Captures the service's log while this process runs its handlers: same lines as deployed, none on the terminal. */
import { log } from '../shared/runtime/log.ts'

export interface CapturedLog {
  bytes(): number
  lines(): number
  stop(): void
}

/** Counts the log instead of printing it, until `stop`. */
export function captureLog(): CapturedLog {
  const write = process.stdout.write.bind(process.stdout)
  let [bytes, lines] = [0, 0]
  log.setLogLevel('INFO')
  process.stdout.write = ((chunk: string | Uint8Array) => {
    bytes += Buffer.byteLength(chunk)
    lines += 1
    return true
  }) as typeof process.stdout.write
  return {
    bytes: () => bytes,
    lines: () => lines,
    stop: () => {
      process.stdout.write = write
      log.setLogLevel('SILENT')
    },
  }
}
