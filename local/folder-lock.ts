/** One service at a time in a data folder: the lock has the process and the port of its holder. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

interface Holder {
  pid: number
  port: number
  startedAtMs: number
}

/** A process that has just started may not answer on its port yet. */
const startingMs = 15_000

/** Frees the folder. */
export type Release = () => void

/**
 * Locks the folder for this process. It takes over a lock whose process is gone or whose port does not answer: after a crash, another
 * program may have the process id.
 *
 * @throws Error naming the process and the port of the service that holds it
 */
export async function lockFolder(folder: string, port: number): Promise<Release> {
  const file = join(folder, 'lock.json')
  const mine = JSON.stringify({ pid: process.pid, port, startedAtMs: Date.now() } satisfies Holder)
  for (let attempt = 0; ; attempt++) {
    try {
      writeFileSync(file, mine, { flag: 'wx', mode: 0o600 })
      break
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt > 3) throw error
    }
    const holder = readHolder(file)
    if (holder && (await isHeld(holder))) {
      throw new Error(
        `The data in .local/ is in use by process ${holder.pid} on port ${holder.port}: stop that service first (Ctrl-C in its terminal, or kill ${holder.pid}).`,
      )
    }
    rmSync(file, { force: true })
  }
  const release = () => {
    if (readHolder(file)?.pid === process.pid) rmSync(file, { force: true })
  }
  process.once('exit', release)
  return release
}

function readHolder(file: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Holder
  } catch {
    return undefined
  }
}

async function isHeld({ pid, port, startedAtMs }: Holder): Promise<boolean> {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // A process of another user exists too.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  if (Date.now() - startedAtMs < startingMs) return true
  return fetch(`http://127.0.0.1:${port}/api/v1/health`, { signal: AbortSignal.timeout(2000) }).then(
    () => true,
    () => false,
  )
}
