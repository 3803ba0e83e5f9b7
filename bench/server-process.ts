/** Servers of the bench are child processes, so that they share no event loop with the load. */
import { fork } from 'node:child_process'
import { once } from 'node:events'

export interface ServerProcess {
  url: string
  pid: number | undefined
  /** The key that the server made, if it keeps keys of its own. */
  key: string | undefined
  stop(): void
}

/** Starts a server that sends its port when it listens, and ends when it is disconnected. */
export async function startServer(file: string): Promise<ServerProcess> {
  const child = fork(file, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const failed = new AbortController()
  child.once('exit', () => failed.abort(new Error(`${file} ended before it listened`)))
  const [{ port, key }] = await once(child, 'message', { signal: failed.signal })
  return { url: `http://127.0.0.1:${port}`, pid: child.pid, key, stop: () => child.disconnect() }
}
