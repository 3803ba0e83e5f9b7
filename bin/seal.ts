/**
 * `npm run seal`: seals what the sealer has missed, from the table of a deployed stage, with the caller's AWS credentials. It
 * also carries over the audit events of earlier versions. Safe to repeat, and while the service runs.
 */
import { parseArgs } from 'node:util'
import { outputNames, stackName } from '../lib/stage.ts'
import { environmentNames } from '../shared/runtime/environment.ts'
import { signIfDue } from '../shared/trail/checkpoints.ts'
import { ChainCutError, sealOrg } from '../shared/trail/seal.ts'
import { outputsOf, requireOrgId, requireStage, runCommand, UsageError } from './command.ts'
import { carryOver, FormerChainError } from './former-chain.ts'
import { orgsToSeal } from './orgs-to-seal.ts'

const usage = `Usage: npm run seal -- --stage dev [--org org_…] [--accept-broken]

  --stage          the deployed stage (default dev)
  --org            one organization (default: every one with unsealed events; this reads the whole table)
  --accept-broken  carry over events of an earlier version even if their chain is broken

Exit code 0: every event is sealed. Otherwise 1.`

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      stage: { type: 'string', default: 'dev' },
      org: { type: 'string' },
      'accept-broken': { type: 'boolean', default: false },
    },
  })
  const only = values.org === undefined ? undefined : requireOrgId('--org', values.org)
  await useStage(requireStage(values.stage))
  const orgIds = only ? [only] : await orgsToSeal()
  for (const orgId of orgIds) await seal(orgId, values['accept-broken'])
  if (orgIds.length === 0) console.log('Every event is sealed.')
}

async function seal(orgId: string, acceptsBroken: boolean): Promise<void> {
  try {
    const carried = await carryOver(orgId, acceptsBroken, new Date())
    const sealed = await sealOrg(orgId, new Date())
    console.log(`${orgId}: ${carried} events carried over, ${sealed} sealed`)
    await signIfDue(orgId, new Date())
  } catch (error) {
    if (!(error instanceof ChainCutError || error instanceof FormerChainError)) throw error
    console.error(`${orgId}: ${error.message}`)
    process.exitCode = 1
  }
}

async function useStage(stage: string): Promise<void> {
  const outputs = await outputsOf(stage, 'Storage')
  const [table, key] = [outputs?.[outputNames.tableName], outputs?.[outputNames.auditKeyArn]]
  if (!table || !key) {
    throw new UsageError(
      `The stack ${stackName(stage, 'Storage')} is not deployed here, or is older than this command: npm run deploy -- --stage ${stage}`,
    )
  }
  process.env[environmentNames.tableName] = table
  process.env[environmentNames.auditKeyId] = key
}

runCommand(main, usage)
