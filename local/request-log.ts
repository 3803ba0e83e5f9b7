/** In a terminal, turns the structured log lines into lines for people; piped, they stay JSON. */

/** Rewrites JSON log lines for a terminal. Other output is unchanged. */
export function readableLogs(stream: NodeJS.WriteStream): void {
  if (!stream.isTTY) return
  const write = stream.write.bind(stream) as (text: string) => boolean
  stream.write = (chunk: Uint8Array | string): boolean => {
    const text = readableText(String(chunk))
    return text === '' || write(text)
  }
}

/** The text to show for a chunk of output. */
export const readableText = (text: string): string =>
  text.replaceAll(/^(\{.*\})(\n|$)/gm, (_line, json: string, end: string) => {
    const shown = readable(json)
    return shown === undefined ? '' : shown + end
  })

const colours: Record<string, string> = { '2': '\u001b[32m', '3': '\u001b[36m', '4': '\u001b[33m', '5': '\u001b[31m' }
const plain = '\u001b[0m'
/** https://no-color.org */
const isPlain = (): boolean => Boolean(process.env.NO_COLOR)

/** Stripe sends many events per relevant change; only applied events get a line. Each change is sealed; only failures do. */
const untold: ReadonlySet<unknown> = new Set([
  'Stripe event received',
  'Stripe event is not for us',
  'Stripe event was projected before',
  'events sealed',
])
const webhookPath = '/api/v1/webhooks/stripe'

function readable(line: string): string | undefined {
  const entry = parse(line)
  if (!entry) return line
  const { message, timestamp = '', status, method, path, latency_ms, operation, principal = '-', problem = '' } = entry
  if (untold.has(message) || (path === webhookPath && Number(status) < 300)) return undefined
  const time = String(timestamp).slice(11, 23)
  if (message === 'Stripe event projected') {
    return `${time} Stripe ${entry.event_type} ${entry.org_id} ${entry.changed ? 'changed' : 'nothing new'}`
  }
  if (message !== 'request') return `${entry.level} ${message} ${JSON.stringify(entry.error ?? '')}`
  const colour = colours[String(status).charAt(0)] ?? ''
  const shown = isPlain() ? status : `${colour}${status}${plain}`
  return `${time} ${shown} ${method} ${path} ${latency_ms} ms  ${operation} ${principal} ${problem}`
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return undefined
  }
}
