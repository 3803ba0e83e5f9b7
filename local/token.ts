/** `npm run token`: mints a token of the local issuer for a person of an org. */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { isRole } from '../shared/auth/scopes.ts'
import { createIssuer, issuerPath } from './issuer.ts'
import { readDevState } from './state.ts'

const usage = 'Usage: npm run -s token -- [--org <id>] [--role owner|admin|member] [--ttl <seconds>] [--sub <id>]'
const folder = join(import.meta.dirname, '..', '.local')

function refuse(reason: string): never {
  console.error(`${reason}\n${usage}`)
  process.exit(1)
}

const { values } = parseArgs({
  options: {
    org: { type: 'string' },
    role: { type: 'string', default: 'owner' },
    ttl: { type: 'string', default: '3600' },
    sub: { type: 'string' },
  },
})
const state = readDevState(join(folder, 'dev.json'))
if (!state) refuse('There is no local service yet; start it once with: npm run dev')
const org = state.orgs.find(({ org_id }) => values.org === undefined || org_id === values.org)
if (!org && !values.org?.startsWith('org_'))
  refuse(`--org must be one of ${state.orgs.map(({ org_id }) => org_id).join(', ')}`)
const { role } = values
if (!isRole(role)) refuse(`--role must be owner, admin or member, not ${role}`)
const ttlSeconds = Number(values.ttl)
if (!Number.isInteger(ttlSeconds)) refuse(`--ttl must be a whole number of seconds, not ${values.ttl}`)
const issuer = await createIssuer(state.issuer.slice(0, -issuerPath.length), join(folder, 'issuer-key.json'))
const person = {
  sub: values.sub ?? `local-${role}`,
  org_id: values.org ?? org?.org_id ?? '',
  role,
  email: `${role}@example.com`,
}
console.log(await issuer.mint(person, ttlSeconds))
