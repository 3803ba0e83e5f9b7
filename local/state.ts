/** Files of the local service in `.local/`: data, keys, and `dev.json` for scripts and people. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { UsageError } from '../bin/usage.ts'
import type { Role } from '../shared/auth/scopes.ts'

export interface DevState {
  url: string
  issuer: string
  orgs: {
    org_id: string
    name: string
    api_keys: { full_admin: string; read_only: string }
    tokens: Record<Role, string>
  }[]
  /** A key of the operator, with every scope that service keys can hold. */
  service_key: string
}

/** Writes a file that only its owner can read. A process that dies meanwhile leaves the file as it was. */
export function writePrivateFile(file: string, content: string): void {
  mkdirSync(dirname(file), { recursive: true })
  const unfinished = `${file}.${process.pid}`
  writeFileSync(unfinished, content, { mode: 0o600 })
  renameSync(unfinished, file)
}

/** The state of the last run; undefined if there is no readable one. */
export function readDevState(file: string): DevState | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as DevState
  } catch {
    return undefined
  }
}

/** @throws UsageError listing the organizations, for an unknown name or id */
export function chooseOrg({ orgs }: Pick<DevState, 'orgs'>, idOrName?: string): DevState['orgs'][number] {
  const wanted = idOrName?.toLowerCase()
  const chosen = orgs.find(
    ({ org_id, name }) => wanted === undefined || [org_id, name].some((known) => known.toLowerCase() === wanted),
  )
  if (chosen) return chosen
  const known = orgs.map(({ name, org_id }) => `${name} (${org_id})`).join(', ')
  throw new UsageError(`--org must be the name or the id of an organization: ${known}; not ${idOrName}`)
}
