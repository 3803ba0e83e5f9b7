/** `npm run token`: mints a token of the local issuer for a person of an org. */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runMain, UsageError } from '../bin/usage.ts'
import { isRole } from '../shared/auth/scopes.ts'
import { createIssuer, issuerPath } from './issuer.ts'
import { readDevState } from './state.ts'

const usage = `Usage: npm run -s token -- [--org <id or name>] [--role owner|admin|member] [--ttl <seconds>] [--sub <id>]

  --org   the organization (default: the first of npm run dev's)
  --role  what the person is there (default owner)
  --ttl   how many seconds the token is good for (default 3600)
  --sub   who the person is (default local-<role>)`

const folder = join(import.meta.dirname, '..', '.local')

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      org: { type: 'string' },
      role: { type: 'string', default: 'owner' },
      ttl: { type: 'string', default: '3600' },
      sub: { type: 'string' },
    },
  })
  const { role } = values
  if (!isRole(role)) throw new UsageError(`--role must be owner, admin or member, not ${role}`)
  const ttlSeconds = Number(values.ttl)
  if (!Number.isInteger(ttlSeconds)) throw new UsageError(`--ttl must be a whole number of seconds, not ${values.ttl}`)
  const state = readDevState(join(folder, 'dev.json'))
  if (!state) throw new Error('There is no local service yet; start it once with: npm run dev')
  const named = state.orgs.find(({ name }) => name.toLowerCase() === values.org?.toLowerCase())?.org_id
  const org_id = named ?? values.org ?? state.orgs[0]?.org_id ?? ''
  if (!org_id.startsWith('org_')) {
    const known = state.orgs.map((org) => `${org.name} (${org.org_id})`).join(', ')
    throw new UsageError(`--org must be the name or the id of an organization: ${known}`)
  }
  const issuer = await createIssuer(state.issuer.slice(0, -issuerPath.length), join(folder, 'issuer-key.json'))
  const person = { sub: values.sub ?? `local-${role}`, org_id, role, email: `${role}@example.com` }
  console.log(await issuer.mint(person, ttlSeconds))
}

runMain(main, usage, ({ message }) => message)
