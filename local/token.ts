/** `npm run token`: mints a token of the local issuer for a person of an org. */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runMain, UsageError, wholeNumber } from '../bin/usage.ts'
import { isRole } from '../shared/auth/scopes.ts'
import { createIssuer, issuerPath } from './issuer.ts'
import { chooseOrg, readDevState } from './state.ts'

const usage = `Usage: npm run -s token -- [--org <id or name>] [--role owner|admin|member] [--ttl <seconds>] [--sub <id>]

  --org   the organization (default: the first of npm run dev's)
  --role  role of the person (default owner)
  --ttl   lifetime of the token in seconds (default 3600; --ttl=-60 expired a minute ago)
  --sub   id of the person (default local-<role>)`

/** A year. */
const maxSeconds = 365 * 24 * 60 * 60

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
  const ttlSeconds = wholeNumber('--ttl', values.ttl, -maxSeconds, maxSeconds)
  if (values.org === '') throw new UsageError('--org must be the name or the id of an organization, not empty')
  if (values.sub?.trim() === '') throw new UsageError('--sub must not be empty; omit it for local-<role>')
  const state = readDevState(join(folder, 'dev.json'))
  if (!state) throw new Error('There is no local service yet; start it once with: npm run dev')
  const { org_id } = chooseOrg(state, values.org)
  const issuer = await createIssuer(state.issuer.slice(0, -issuerPath.length), join(folder, 'issuer-key.json'))
  const person = { sub: values.sub ?? `local-${role}`, org_id, role, email: `${role}@example.com` }
  console.log(await issuer.mint(person, ttlSeconds))
}

runMain(main, usage, ({ message }) => message)
