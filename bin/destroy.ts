/**
 * `npm run destroy`: deletes the stacks of a stage in reverse order. It reads the deployed stacks and needs no synth. A protected
 * stage needs `--release`, and keeps its data.
 */
import { parseArgs } from 'node:util'
import {
  CloudFormationClient,
  DeleteStackCommand,
  DescribeStackResourcesCommand,
  GetTemplateCommand,
  type Stack,
  UpdateTerminationProtectionCommand,
} from '@aws-sdk/client-cloudformation'
import { S3Client } from '@aws-sdk/client-s3'
import { stackName, stackParts } from '../lib/stage.ts'
import { webBucketOutput } from '../lib/web-outputs.ts'
import { CommandError, requireStage, runCommand } from './command.ts'
import { isConfirmed } from './confirm.ts'
import { emptyBucket } from './empty-bucket.ts'
import { step } from './progress.ts'
import { describeStack, stacksOf } from './stacks.ts'

const usage = `Usage: npm run destroy -- --stage dev [--release] [--yes]

  --stage    the stage that was deployed
  --release  take the protection off the stacks of a protected stage; its table, key, secret, user pool and logs stay
  --yes      destroy without asking

Exit code 0: no stack of the stage is left. Otherwise 1.`

const pollMs = 2000

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      stage: { type: 'string', default: '' },
      release: { type: 'boolean', default: false },
      yes: { type: 'boolean', default: false },
    },
  })
  const stage = requireStage(values.stage)
  const stacks = inOrder(stage, await stacksOf(stage))
  if (stacks.length === 0) throw new CommandError(`No stack of stage ${stage} is deployed here.`)
  const guarded = await protectedOf(stacks)
  const isProtected = guarded.length > 0
  if (isProtected && !values.release)
    throw new CommandError(
      `Stage ${stage} is protected: ${namesOf(guarded)}. Nothing was destroyed; --release goes on.`,
    )
  console.log(`Stage ${stage}: ${namesOf(stacks)}`)
  console.log(
    (await keepsData(stacks))
      ? 'Its table, key, secret, user pool, logs and backups stay.'
      : 'All of its data is deleted.',
  )
  const question = `Type the name of the stage to destroy it: `
  if (!values.yes && !(await isConfirmed(question, stage, '--yes'))) throw new CommandError('Nothing was destroyed.')
  for (const { StackName } of guarded) await release(StackName)
  for (const stack of stacks) await step(stack.StackName ?? '', () => remove(stack), { isSilent: true })
}

const client = () => new CloudFormationClient({})
const namesOf = (stacks: readonly Stack[]): string => stacks.map(({ StackName }) => StackName).join(', ')

/** The reverse order of a deploy. Stacks unknown to this version come first. */
function inOrder(stage: string, stacks: readonly Stack[]): Stack[] {
  const place = ({ StackName = '' }: Stack) => stackParts.findIndex((part) => stackName(stage, part) === StackName)
  return stacks.toSorted((a, b) => rank(place(b)) - rank(place(a)))
}
const rank = (place: number): number => (place === -1 ? stackParts.length : place)

async function protectedOf(stacks: readonly Stack[]): Promise<Stack[]> {
  const described = await Promise.all(stacks.map(({ StackName = '' }) => describeStack(StackName)))
  return described.flatMap((stack) => (stack?.EnableTerminationProtection ? stack : []))
}

/** The templates say what outlives the stacks, whether or not they are still protected. */
async function keepsData(stacks: readonly Stack[]): Promise<boolean> {
  const templates = await Promise.all(
    stacks.map(({ StackName }) => client().send(new GetTemplateCommand({ StackName, TemplateStage: 'Original' }))),
  )
  return templates.some(({ TemplateBody = '' }) => /"DeletionPolicy": ?"Retain/.test(TemplateBody))
}

const release = (StackName: string | undefined) =>
  client().send(new UpdateTerminationProtectionCommand({ StackName, EnableTerminationProtection: false }))

/** @throws CommandError naming what could not be deleted */
async function remove({ StackName = '', Outputs = [] }: Stack): Promise<void> {
  const bucket = Outputs.find(({ OutputKey }) => OutputKey === webBucketOutput)?.OutputValue
  if (bucket !== undefined) await emptyBucket(new S3Client({}), bucket)
  await client().send(new DeleteStackCommand({ StackName }))
  for (;;) {
    const stack = await describeStack(StackName)
    if (stack === undefined || stack.StackStatus === 'DELETE_COMPLETE') return
    if (stack.StackStatus === 'DELETE_FAILED') throw new CommandError(await whyLeft(StackName, stack))
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
}

async function whyLeft(StackName: string, { StackStatusReason = '' }: Stack): Promise<string> {
  const { StackResources = [] } = await client().send(new DescribeStackResourcesCommand({ StackName }))
  const left = StackResources.filter(({ ResourceStatus }) => ResourceStatus === 'DELETE_FAILED')
  const reasons = left.map(
    ({ LogicalResourceId, ResourceStatusReason }) => `${LogicalResourceId}: ${ResourceStatusReason}`,
  )
  return [
    `${StackName} could not be deleted. ${StackStatusReason}`,
    ...reasons,
    'Fix the reason above, then run the command again.',
  ].join('\n  ')
}

runCommand(main, usage)
