/** Preflight checks of the account: credentials, region, CDK bootstrap, Lambda concurrency, stacks of the stage. */
import type { Stack } from '@aws-sdk/client-cloudformation'
import { GetAccountSettingsCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { type Finding, fail, ok, warn } from './checks.ts'
import { isRegion } from './command.ts'
import { clientLimits, type PreflightContext, permitted, unlessMissing } from './preflight-context.ts'
import { stacksOf } from './stacks.ts'

const regionFix = 'export AWS_REGION=us-east-1, or the region of the stage'

/** The SDK reads AWS_REGION and the profile, as the CDK does. */
export async function region(context: PreflightContext): Promise<Finding> {
  const named = await new STSClient(clientLimits).config.region().catch(() => '')
  if (!isRegion(named)) return fail('a region', named || 'none', regionFix)
  context.region = named
  return ok(named)
}

/** GetCallerIdentity needs no permission: an error means that the credentials are missing or wrong. */
export async function credentials(context: PreflightContext): Promise<Finding> {
  try {
    const { Account, Arn } = await new STSClient(clientLimits).send(new GetCallerIdentityCommand({}))
    if (Account === undefined) return fail('an account', 'none', credentialsFix)
    context.account = Account
    return ok(`account ${Account}, ${Arn}`)
  } catch (error) {
    const { name, code } = error as Error & { code?: string }
    if (code !== undefined) return fail('an answer of AWS', code, 'check the network, AWS_REGION and AWS_ENDPOINT_URL')
    return fail('AWS credentials', name === 'CredentialsProviderError' ? 'none' : name, credentialsFix)
  }
}

const credentialsFix = 'set AWS_PROFILE, or run aws sso login'

/** Minimum bootstrap version of the default synthesizer in our aws-cdk-lib; a test compares it. */
export const bootstrapVersion = 6
const versionParameter = '/cdk-bootstrap/hnb659fds/version'

export async function bootstrap({ account, region }: PreflightContext): Promise<Finding> {
  const read = new SSMClient(clientLimits).send(new GetParameterCommand({ Name: versionParameter }))
  const found = await permitted('ssm:GetParameter', unlessMissing(read, 'ParameterNotFound'))
  const version = Number(found?.Parameter?.Value ?? 0)
  if (version >= bootstrapVersion) return ok(`version ${version}`)
  return fail(
    `CDK bootstrap of version ${bootstrapVersion} or later`,
    version === 0 ? 'none' : `version ${version}`,
    `npx cdk bootstrap aws://${account}/${region}`,
  )
}

/** New accounts have less than the default quota of 1,000, often 10. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
const fewExecutions = 100

export async function concurrency({ settings: { lambdaConcurrency } }: PreflightContext): Promise<Finding> {
  const { AccountLimit } = await permitted(
    'lambda:GetAccountSettings',
    new LambdaClient(clientLimits).send(new GetAccountSettingsCommand({})),
  )
  const limit = AccountLimit?.ConcurrentExecutions ?? 0
  if (limit >= fewExecutions && limit < lambdaConcurrency)
    return warn(
      `the account limit is ${limit}, and lambda_concurrency is ${lambdaConcurrency}`,
      `set lambda_concurrency to ${limit} in the file of the stage`,
    )
  if (limit >= fewExecutions) return ok(`${limit} concurrent executions`)
  return warn(
    `the account runs ${limit} Lambda functions at once; the gateway refuses requests beyond them`,
    'aws service-quotas request-service-quota-increase --service-code lambda --quota-code L-B99A9384 --desired-value 1000',
  )
}

/** Statuses of stacks that CloudFormation cannot update now. */
export async function stacks({ settings: { stage } }: PreflightContext): Promise<Finding> {
  const ours = await permitted('cloudformation:DescribeStacks', stacksOf(stage, clientLimits))
  const broken = ours.filter(({ StackStatus = '' }) => /_FAILED$|^ROLLBACK_COMPLETE$/.test(StackStatus))
  if (broken.length > 0)
    return fail('stacks that can be updated', broken.map(named).join(', '), broken.map(fixOf).join('; '))
  const busy = ours.filter(({ StackStatus = '' }) => /(?<!REVIEW)_IN_PROGRESS$/.test(StackStatus))
  if (busy.length > 0) return warn(`${busy.map(named).join(', ')}`, 'wait until the other deploy has ended')
  return ok(`${ours.length} deployed`)
}

const named = ({ StackName, StackStatus }: Stack): string => `${StackName} ${StackStatus}`

/**
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ContinueUpdateRollback.html and
 * API_RollbackStack.html: each leads out of one status. A stack whose creation failed can only be deleted.
 */
function fixOf({ StackName, StackStatus, EnableTerminationProtection }: Stack): string {
  const command =
    StackStatus === 'UPDATE_ROLLBACK_FAILED'
      ? 'continue-update-rollback'
      : StackStatus === 'UPDATE_FAILED'
        ? 'rollback-stack'
        : 'delete-stack'
  const release = `aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name ${StackName} && `
  return `${EnableTerminationProtection && command === 'delete-stack' ? release : ''}aws cloudformation ${command} --stack-name ${StackName}`
}
