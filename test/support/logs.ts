/** What the service logs while tests run. */
export const logLines: string[] = []

/** Records structured log lines instead of printing them, until the returned function is called. `SHOW_LOGS=1` prints them too. */
export function catchLogs(): () => void {
  const releases = [process.stdout, process.stderr].map((stream) => {
    const { write } = stream
    stream.write = ((chunk: string | Uint8Array, ...rest: []) => {
      const text = String(chunk)
      if (!text.startsWith('{"level":')) return write.call(stream, chunk, ...rest)
      logLines.push(text)
      if (process.env.SHOW_LOGS) write.call(stream, chunk, ...rest)
      return true
    }) as typeof stream.write
    return () => {
      stream.write = write
    }
  })
  return () => {
    for (const release of releases) release()
  }
}
