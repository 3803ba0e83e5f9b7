/**
 * `npm run service-key`: creates, lists and revokes service keys of a deployed stage with the caller's AWS credentials. A raw key is
 * printed once, to stdout; the operator's own audit trail records each change.
 */
import { randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import { outputNames, stackName } from '../lib/stage.ts'
import { serviceRateLimitPerMinute } from '../shared/auth/caller.ts'
import { serviceKeyScopes } from '../shared/auth/scopes.ts'
import { nameField } from '../shared/fields.ts'
import { createServiceKey, listServiceKeys, revokeServiceKey } from '../shared/operator/service-keys.ts'
import { environmentNames } from '../shared/runtime/environment.ts'
import type { ServiceKeyRecord, ServiceScope } from '../shared/service-keys/record.ts'
import { outputsOf, requireStage, runCommand, UsageError } from './command.ts'
import { wholeNumber } from './usage.ts'

const usage = `Usage: npm run -s service-key -- --stage dev create [--name gateway] [--scopes keys:introspect] [--environment test]
                                                   [--rate-limit 100000]
       npm run -s service-key -- --stage dev list
       npm run -s service-key -- --stage dev revoke key_…

  --stage        the deployed stage (default dev)
  --name         the name of the service (default Service key)
  --scopes       scopes, separated by commas (default all: ${serviceKeyScopes.join(',')})
  --environment  live or test (default live)
  --rate-limit   maximum requests per minute (default ${serviceRateLimitPerMinute})

A service key belongs to the operator of the platform, and works for every organization.`

const budgetMs = 30_000

const options = {
  stage: { type: 'string', default: 'dev' },
  name: { type: 'string' },
  scopes: { type: 'string' },
  environment: { type: 'string' },
  'rate-limit': { type: 'string' },
} as const

type Values = ReturnType<typeof parse>['values']
const parse = () => parseArgs({ options, allowPositionals: true })

async function main(): Promise<void> {
  const { values, positionals } = parse()
  const [action, ...ids] = positionals
  const run = actions[action as keyof typeof actions]
  if (!run) throw new UsageError(`Say create, list or revoke, not ${action || 'nothing'}.`)
  const work = run(values, ids)
  process.env[environmentNames.tableName] = await tableOf(requireStage(values.stage))
  await work()
}

/** Each checks its options first, and touches the stage when called. */
const actions = {
  create: (values: Values, ids: string[]) => {
    if (ids.length > 0) throw new UsageError(`create takes no ${ids[0]}.`)
    const definition = definitionOf(values)
    return async () => {
      const { key, rawKey } = await createServiceKey(definition, maker())
      print({ ...key, service_key: rawKey })
      console.error('This key is shown once. Store it now.')
    }
  },
  list: (values: Values, ids: string[]) => {
    refuseOptions('list', values)
    if (ids.length > 0) throw new UsageError(`list takes no ${ids[0]}.`)
    return async () => print((await listServiceKeys()).map(shown))
  },
  revoke: (values: Values, ids: string[]) => {
    refuseOptions('revoke', values)
    const [id, ...more] = ids
    if (!id || more.length > 0) throw new UsageError('revoke takes the id of one key (key_…).')
    return async () => {
      const revoked = await revokeServiceKey(id, maker())
      if (!revoked) throw new UsageError(`There is no service key ${id} in this stage.`)
      print(shown(revoked))
    }
  },
}

function refuseOptions(action: string, { stage: _stage, ...others }: Values): void {
  const [extra] = Object.keys(others)
  if (extra) throw new UsageError(`--${extra} does not go with ${action}.`)
}

function definitionOf({ name = 'Service key', scopes, environment = 'live', 'rate-limit': rate }: Values) {
  const parsed = nameField().safeParse(name)
  if (!parsed.success) throw new UsageError('--name must be a name of 1 to 100 characters, without control characters.')
  if (environment !== 'live' && environment !== 'test') throw new UsageError('--environment must be live or test.')
  const rate_limit_per_minute =
    rate === undefined ? serviceRateLimitPerMinute : wholeNumber('--rate-limit', rate, 1, 100_000)
  return { name, environment, rate_limit_per_minute, scopes: scopesOf(scopes) } as const
}

function scopesOf(text: string | undefined): ServiceScope[] {
  if (text === undefined) return [...serviceKeyScopes]
  const named = [...new Set(text.split(/[\s,]+/).filter((name) => name !== ''))]
  const scopes = serviceKeyScopes.filter((scope) => named.includes(scope))
  if (scopes.length > 0 && scopes.length === named.length) return scopes
  throw new UsageError(`--scopes must name scopes of ${serviceKeyScopes.join(', ')}, not ${text || 'none'}.`)
}

const shown = (key: ServiceKeyRecord) => ({ ...key, state: key.revoked_at === null ? 'active' : 'revoked' })

const print = (value: unknown): void => console.log(JSON.stringify(value, null, 2))

const maker = () => ({ name: 'service-key', requestId: randomUUID(), deadline: new Date(Date.now() + budgetMs) })

async function tableOf(stage: string): Promise<string> {
  const tableName = (await outputsOf(stage, 'Storage'))?.[outputNames.tableName]
  if (tableName) return tableName
  throw new UsageError(
    `The stack ${stackName(stage, 'Storage')} is not deployed here. Deploy it first: npm run deploy -- --stage ${stage}`,
  )
}

runCommand(main, usage)
