/** What the service logs while tests run. */
export const logLines: string[] = []

/** Keeps structured log lines from the terminal and remembers them; `SHOW_LOGS=1` prints them too. */
export function catchLogs(): void {
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream)
    stream.write = ((chunk: string | Uint8Array, ...rest: []) => {
      const text = String(chunk)
      if (!text.startsWith('{"level":')) return write(chunk, ...rest)
      logLines.push(text)
      if (process.env.SHOW_LOGS) write(chunk, ...rest)
      return true
    }) as typeof stream.write
  }
}
