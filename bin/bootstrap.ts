/**
 * `npm run bootstrap`: writes the first organization of a deployed stage with the caller's own AWS credentials, and
 * prints one org key that holds everything an org key may hold, once.
 */
import { randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation'
import { outputNames, stackName } from '../lib/stage.ts'
import { type PlanCode, planCodes } from '../shared/billing/plans.ts'
import { ProblemError } from '../shared/http/problem.ts'
import { createOrg, createOrgKey, findOrg, findOrgIdByName, type Maker, setPlan } from '../shared/orgs/entity.ts'
import { environmentNames } from '../shared/runtime/environment.ts'

const usage = `Usage: npm run bootstrap -- --stage dev --org "Acme" --owner you@example.com [--plan enterprise]
       npm run bootstrap -- --stage dev --another-key org_…

  --stage        the stage that was deployed (default dev)
  --org          the name of the organization to make
  --owner        the e-mail address of its owner
  --plan         the plan that the organization is on, whatever it pays (default: what it pays for)
  --another-key  issue one more key for an organization that is there already, when the first was lost`

class UsageError extends Error {}

const budgetMs = 30_000

async function main(): Promise<void> {
  const { stage, orgName, owner, plan, anotherKeyFor } = readOptions()
  process.env[environmentNames.tableName] = await tableOf(stage)
  const maker: Maker = { name: 'bootstrap', requestId: randomUUID(), deadline: new Date(Date.now() + budgetMs) }
  const orgId = anotherKeyFor ? await existing(anotherKeyFor) : await make(orgName, owner, maker)
  if (plan) await setPlan(orgId, plan, maker, 'npm run bootstrap -- --plan')
  const rawKey = await createOrgKey(orgId, 'Bootstrap key', 'full_admin', maker)
  console.log(JSON.stringify({ org_id: orgId, api_key: rawKey }, null, 2))
  console.error('This key is shown once. Store it now, and rotate it when you have signed in.')
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      stage: { type: 'string', default: 'dev' },
      org: { type: 'string', default: '' },
      owner: { type: 'string', default: '' },
      plan: { type: 'string' },
      'another-key': { type: 'string' },
    },
  })
  const { stage, org, owner, plan, 'another-key': anotherKeyFor } = values
  if (plan !== undefined && !isPlanCode(plan)) throw new UsageError(`--plan must be one of ${planCodes.join(', ')}.`)
  if (anotherKeyFor === undefined) {
    if (!/\S/.test(org) || org.length > 100) throw new UsageError('--org must be a name of 1 to 100 characters.')
    if (!/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(owner)) throw new UsageError('--owner must be an e-mail address.')
  }
  return { stage, orgName: org.trim(), owner, plan, anotherKeyFor }
}

const isPlanCode = (text: string): text is PlanCode => (planCodes as readonly string[]).includes(text)

/** The name of the stage's table, from the outputs of its Storage stack. */
async function tableOf(stage: string): Promise<string> {
  const name = stackName(stage, 'Storage')
  const client = new CloudFormationClient({})
  try {
    const { Stacks = [] } = await client.send(new DescribeStacksCommand({ StackName: name }))
    const output = Stacks[0]?.Outputs?.find(({ OutputKey }) => OutputKey === outputNames.tableName)
    if (output?.OutputValue) return output.OutputValue
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'ValidationError') throw error
  }
  throw new UsageError(
    `The stack ${name} is not deployed here. Deploy it first: npx cdk deploy --all -c stage=${stage}`,
  )
}

async function make(name: string, owner_email: string, maker: Maker): Promise<string> {
  const taken = await findOrgIdByName(name)
  if (taken)
    throw new UsageError(`An organization of that name exists: ${taken}. If its key was lost: --another-key ${taken}`)
  return (await createOrg({ name, owner_email }, maker)).id
}

async function existing(orgId: string): Promise<string> {
  if (await findOrg(orgId)) return orgId
  throw new UsageError(`There is no organization ${orgId} in this stage.`)
}

main().catch((error: unknown) => {
  const { name, message, code } = error as Error & { code?: string }
  const isUsage = error instanceof UsageError || String(code).startsWith('ERR_PARSE_ARGS')
  if (isUsage) console.error(`${message}\n\n${usage}`)
  else if (error instanceof ProblemError) console.error(message)
  else if (name === 'CredentialsProviderError') {
    console.error('No AWS credentials were found. Set AWS_PROFILE, or sign in as you do for cdk deploy.')
  } else console.error(error)
  process.exit(1)
})
