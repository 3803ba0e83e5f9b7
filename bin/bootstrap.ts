/**
 * `npm run bootstrap`: creates the first organization of a deployed stage with the caller's AWS credentials, and prints one org key
 * with every scope, once. If the stage has a user pool, it adds the owner. The organization comes first and the owner last, so a
 * failed run can be completed.
 */
import { randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import { outputNames, stackName } from '../lib/stage.ts'
import { isRole, roleScopes } from '../shared/auth/scopes.ts'
import { type PlanCode, planCodes } from '../shared/billing/plans.ts'
import { isEmailAddress } from '../shared/email.ts'
import { nameField } from '../shared/fields.ts'
import { createOrg, createOrgKey, findOrgIdByName, type Maker, setPlan } from '../shared/operator/orgs.ts'
import { findOrg } from '../shared/orgs/record.ts'
import { environmentNames } from '../shared/runtime/environment.ts'
import { outputsOf, requireOrgId, requireStage, runCommand, UsageError } from './command.ts'
import { addPerson, findUserPool, type Person, type PoolIds, removeAuthenticator, requireUnknown } from './user-pool.ts'

const roles = Object.keys(roleScopes)

const usage = `Usage: npm run bootstrap -- --stage dev --org "Acme" --owner you@example.com [--plan enterprise]
       npm run bootstrap -- --stage dev --another-key org_…
       npm run bootstrap -- --stage dev --another-person org_… --email you@example.com [--role member]
       npm run bootstrap -- --stage dev --reset-factor you@example.com

  --stage           the deployed stage (default dev)
  --org             the name of the new organization
  --owner           the e-mail address of its owner, who can sign in if the stage has a user pool
  --plan            override the organization's plan (default: the plan of its subscription)
  --another-key     issue another key for an existing organization, if the first was lost
  --another-person  add a person to an existing organization, or renew a lost first password
  --reset-factor    remove a person's lost authenticator; the person then signs in with the password and enrols another
  --email, --role   the person's address and role: ${roles.join(', ')} (default member)`

const budgetMs = 30_000

async function main(): Promise<void> {
  const { stage, orgName, owner, plan, anotherKeyFor, person, resetFactorOf } = readOptions()
  process.env[environmentNames.tableName] = await tableOf(stage)
  const pool = await findUserPool(stage)
  const maker: Maker = { name: 'bootstrap', requestId: randomUUID(), deadline: new Date(Date.now() + budgetMs) }
  if (resetFactorOf) return await resetFactor(stage, pool, resetFactorOf, maker)
  if (person) return await addAnother(stage, pool, person, maker)
  const orgId = anotherKeyFor ? await existing(anotherKeyFor) : await make(orgName, owner, pool, maker)
  if (plan) await setPlan(orgId, plan, maker, 'npm run bootstrap -- --plan')
  const rawKey = await createOrgKey(orgId, 'Bootstrap key', 'full_admin', maker)
  const signIn =
    pool && !anotherKeyFor ? await addOwner(stage, pool, { email: owner, orgId, role: 'owner' }, maker) : {}
  console.log(JSON.stringify({ org_id: orgId, api_key: rawKey, ...signIn }, null, 2))
  console.error('This key is shown once. Store it now, and rotate it after you sign in.')
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      stage: { type: 'string', default: 'dev' },
      org: { type: 'string' },
      owner: { type: 'string' },
      plan: { type: 'string' },
      'another-key': { type: 'string' },
      'another-person': { type: 'string' },
      'reset-factor': { type: 'string' },
      email: { type: 'string' },
      role: { type: 'string' },
    },
  })
  const { stage, org = '', owner = '', plan, email = '', role = 'member' } = values
  const { 'another-key': anotherKeyFor, 'another-person': personFor, 'reset-factor': resetFactorOf } = values
  requireStage(stage)
  refuseTogether(values)
  if (anotherKeyFor !== undefined) requireOrgId('--another-key', anotherKeyFor)
  if (plan !== undefined && !isPlanCode(plan)) throw new UsageError(`--plan must be one of ${planCodes.join(', ')}.`)
  const person = personFor === undefined ? undefined : readPerson(personFor, email, role)
  if (resetFactorOf !== undefined && !isEmailAddress(resetFactorOf)) {
    throw new UsageError('--reset-factor must be an e-mail address.')
  }
  if (anotherKeyFor === undefined && !person && !resetFactorOf) {
    if (!nameField().safeParse(org).success) {
      throw new UsageError('--org must be a name of 1 to 100 characters, without control characters.')
    }
    if (!isEmailAddress(owner)) throw new UsageError('--owner must be an e-mail address.')
  }
  return { stage, orgName: org.trim(), owner, plan, anotherKeyFor, person, resetFactorOf }
}

/** Options of each form of the command, besides --stage. Options of another form are refused, not silently ignored. */
const forms = {
  'reset-factor': [],
  'another-person': ['email', 'role'],
  'another-key': ['plan'],
  org: ['owner', 'plan'],
} as const

function refuseTogether(values: Readonly<Record<string, unknown>>): void {
  const isGiven = (name: string) => values[name] !== undefined
  const form = (Object.keys(forms) as (keyof typeof forms)[]).find(isGiven) ?? 'org'
  const taken: readonly string[] = ['stage', form, ...forms[form]]
  const extra = Object.keys(values).find((name) => isGiven(name) && !taken.includes(name))
  if (extra) throw new UsageError(`--${extra} does not go with --${form}: omit one of them.`)
}

function readPerson(orgId: string, email: string, role: string): Person {
  requireOrgId('--another-person', orgId)
  if (!isEmailAddress(email)) throw new UsageError('--email must be an e-mail address.')
  if (!isRole(role)) throw new UsageError(`--role must be one of ${roles.join(', ')}.`)
  return { orgId, email, role }
}

const isPlanCode = (text: string): text is PlanCode => (planCodes as readonly string[]).includes(text)

/** The name of the stage's table, from the outputs of its Storage stack. */
async function tableOf(stage: string): Promise<string> {
  const tableName = (await outputsOf(stage, 'Storage'))?.[outputNames.tableName]
  if (tableName) return tableName
  throw new UsageError(
    `The stack ${stackName(stage, 'Storage')} is not deployed here. Deploy it first: npx cdk deploy --all -c stage=${stage}`,
  )
}

async function make(name: string, owner_email: string, pool: PoolIds | undefined, maker: Maker): Promise<string> {
  const taken = await findOrgIdByName(name)
  if (taken)
    throw new UsageError(`An organization with that name exists: ${taken}. If its key was lost: --another-key ${taken}`)
  if (pool) await requireUnknown(pool, owner_email)
  return (await createOrg({ name, owner_email }, maker)).id
}

/** Prints the owner's first password. It prints a failure instead of throwing: the new key must still be shown. */
async function addOwner(stage: string, pool: PoolIds, owner: Person, maker: Maker): Promise<{ owner?: SignIn }> {
  try {
    return { owner: await signInOf(stage, pool, owner, maker) }
  } catch (error) {
    console.error(
      `The organization and its key exist, but ${owner.email} could not be added: ${error instanceof Error ? error.message : error}\n` +
        `After fixing that: npm run bootstrap -- --stage ${stage} --another-person ${owner.orgId} --email ${owner.email} --role owner`,
    )
    process.exitCode = 1
    return {}
  }
}

async function addAnother(stage: string, pool: PoolIds | undefined, person: Person, maker: Maker): Promise<void> {
  const own = poolOf(stage, pool)
  await existing(person.orgId)
  const { email, temporary_password } = await signInOf(stage, own, person, maker)
  console.log(JSON.stringify({ org_id: person.orgId, role: person.role, email, temporary_password }, null, 2))
}

async function resetFactor(stage: string, pool: PoolIds | undefined, email: string, maker: Maker): Promise<void> {
  const { orgId, role } = await removeAuthenticator(poolOf(stage, pool), email, maker)
  console.log(JSON.stringify({ org_id: orgId, role, email }, null, 2))
  console.error(
    `${email} signs in with the password, and sets up another authenticator: npm run -s sign-in -- --stage ${stage} --email ${email} --enroll-totp`,
  )
}

function poolOf(stage: string, pool: PoolIds | undefined): PoolIds {
  if (pool) return pool
  throw new UsageError(`Stage ${stage} has no user pool: add people at its issuer.`)
}

interface SignIn {
  email: string
  temporary_password: string
}

async function signInOf(stage: string, pool: PoolIds, person: Person, maker: Maker): Promise<SignIn> {
  const temporary_password = await addPerson(pool, person, maker)
  console.error(
    `${person.email} signs in within three days with the temporary password, and sets a new one: npm run -s sign-in -- --stage ${stage} --email ${person.email}`,
  )
  return { email: person.email, temporary_password }
}

async function existing(orgId: string): Promise<string> {
  if (await findOrg(orgId)) return orgId
  throw new UsageError(`There is no organization ${orgId} in this stage.`)
}

runCommand(main, usage)
