/** In a terminal, turns the structured log lines into lines for people; piped, they stay JSON. */

/** Rewrites JSON log lines on their way to a terminal. Whatever is not one passes as it is. */
export function readableLogs(stream: NodeJS.WriteStream): void {
  if (!stream.isTTY) return
  const write = stream.write.bind(stream) as (text: string) => boolean
  stream.write = (chunk: Uint8Array | string): boolean => write(String(chunk).replaceAll(/^\{.*\}$/gm, readable))
}

const colours: Record<string, string> = { '2': '\u001b[32m', '3': '\u001b[36m', '4': '\u001b[33m', '5': '\u001b[31m' }
const plain = '\u001b[0m'

function readable(line: string): string {
  const entry = parse(line)
  if (!entry) return line
  if (entry.message !== 'request') return `${entry.level} ${entry.message} ${JSON.stringify(entry.error ?? '')}`
  const { timestamp = '', status, method, path, latency_ms, operation, principal = '-', problem = '' } = entry
  const colour = colours[String(status).charAt(0)] ?? ''
  const time = String(timestamp).slice(11, 23)
  return `${time} ${colour}${status}${plain} ${method} ${path} ${latency_ms} ms  ${operation} ${principal} ${problem}`
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return undefined
  }
}
