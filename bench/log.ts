/** The service's log while this process runs it: written as deployed functions write it, and kept from the terminal. */
import { log } from '../shared/runtime/log.ts'
import { logLineOverheadBytes } from './assumptions.ts'

export interface CapturedLog {
  /** Bytes as CloudWatch counts them. */
  bytes(): number
  stop(): void
}

/** Keeps the log from the terminal and counts it. */
export function captureLog(): CapturedLog {
  const write = process.stdout.write.bind(process.stdout)
  let bytes = 0
  log.setLogLevel('INFO')
  process.stdout.write = ((chunk: string | Uint8Array) => {
    bytes += Buffer.byteLength(chunk) + logLineOverheadBytes
    return true
  }) as typeof process.stdout.write
  return {
    bytes: () => bytes,
    stop: () => {
      process.stdout.write = write
      log.setLogLevel('SILENT')
    },
  }
}
