/** CPU time of other processes, from Linux's /proc. */
import { readdirSync, readFileSync } from 'node:fs'

const msPerTick = 10

/** CPU time of a process in milliseconds; NaN when it is not known. */
export function cpuMsOf(pid: number | undefined): number {
  const { user, system } = statOf(String(pid)) ?? { user: Number.NaN, system: Number.NaN }
  return (user + system) * msPerTick
}

/** The DynamoDB engine that this process started through a shell. */
export function findEngine(): number | undefined {
  const isOurs = (pid: string): boolean => {
    const parent = statOf(pid)?.parent
    return parent === String(process.pid) || (parent !== undefined && parent !== '0' && isOurs(parent))
  }
  const pid = processes().find((each) => statOf(each)?.name === 'dynoxide' && isOurs(each))
  return pid === undefined ? undefined : Number(pid)
}

function processes(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  } catch {
    return []
  }
}

/** The name is in parentheses and can hold spaces; the other fields follow it. */
function statOf(pid: string): { name: string; parent: string; user: number; system: number } | undefined {
  try {
    const [, name = '', rest = ''] = /\((.*)\) (.*)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
    const fields = rest.split(' ')
    return { name, parent: fields[1] ?? '0', user: Number(fields[11]), system: Number(fields[12]) }
  } catch {
    return undefined
  }
}
