/** Shared parts of the commands: errors, and the outputs of deployed stacks. */
import { isStage, stackName, stageRule } from '../lib/stage.ts'
import { ProblemError } from '../shared/problem.ts'
import { describeStack } from './stacks.ts'
import { CommandError, runMain, UsageError } from './usage.ts'

export { CommandError, UsageError }

/** Runs a command. Errors that a person can fix print as a sentence, wrong options also with the usage. */
export function runCommand(main: () => Promise<void>, usage: string): void {
  runMain(main, usage, explain)
}

function explain(error: Error): string | undefined {
  if (error instanceof ProblemError) return error.message
  if (error.name === 'CredentialsProviderError')
    return 'No AWS credentials were found. Set AWS_PROFILE, or sign in as you do for cdk deploy.'
  const { code } = error as { code?: string }
  if (code !== undefined && networkFaults.includes(code))
    return `AWS does not answer (${code}). Check the network, AWS_REGION and AWS_ENDPOINT_URL.`
  if (rejectedCredentials.includes(error.name))
    return `AWS refused the credentials (${error.name}). Sign in again, or set AWS_PROFILE.`
  if (/^AccessDenied/.test(error.name)) return `AWS denied an action: ${error.message}`
  // The SDK's error has no name of its own.
  if (error.message === 'Region is missing')
    return 'Set AWS_REGION to the region of the stage, e.g. AWS_REGION=us-east-1.'
  return undefined
}

const networkFaults = ['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT']
const rejectedCredentials = [
  ...['InvalidClientTokenId', 'ExpiredToken', 'ExpiredTokenException'],
  ...['SignatureDoesNotMatch', 'UnrecognizedClientException'],
]

/** @throws UsageError for a name that no stage has, and where npm kept the option for itself */
export function requireStage(stage: string): string {
  if (process.env.npm_config_stage !== undefined)
    throw new UsageError('npm took --stage for itself. Write -- before the options: npm run <command> -- --stage dev.')
  if (isStage(stage)) return stage
  throw new UsageError(`--stage must be the name of a deployed stage, not ${stage || 'empty'}: ${stageRule}.`)
}

/** @throws UsageError for an invalid organization id */
export function requireOrgId(option: string, orgId: string): string {
  if (/^org_\w+$/.test(orgId)) return orgId
  throw new UsageError(`${option} must be the id of an organization (org_…), not ${orgId || 'empty'}.`)
}

export const isRegion = (name: string): boolean => /^[a-z]{2,}(-[a-z]+)+-\d+$/.test(name)

function requireRegion(): void {
  const region = process.env.AWS_REGION
  if (region && !isRegion(region))
    throw new UsageError(`AWS_REGION must be the region of the stage, like us-east-1, not ${region}.`)
}

/** The outputs of one of a stage's stacks, or undefined if it is not deployed. */
export async function outputsOf(stage: string, part: string): Promise<Record<string, string> | undefined> {
  requireRegion()
  const stack = await describeStack(stackName(stage, part))
  return (
    stack &&
    Object.fromEntries((stack.Outputs ?? []).map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue]))
  )
}
