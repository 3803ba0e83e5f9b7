/** What the commands of this folder share: how they fail, and the outputs of deployed stacks. */
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation'
import { stackName } from '../lib/stage.ts'
import { ProblemError } from '../shared/http/problem.ts'

/** What a person can put right: told without a stack trace. */
export class UsageError extends Error {}

/** Runs a command to its end; what a person can put right is told in a sentence, a wrong option with the usage. */
export function runCommand(main: () => Promise<void>, usage: string): void {
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
}

/** The outputs of one of a stage's stacks, or undefined where it is not deployed. */
export async function outputsOf(stage: string, part: string): Promise<Record<string, string> | undefined> {
  try {
    const { Stacks = [] } = await new CloudFormationClient({}).send(
      new DescribeStacksCommand({ StackName: stackName(stage, part) }),
    )
    const outputs = Stacks[0]?.Outputs ?? []
    return Object.fromEntries(outputs.map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue]))
  } catch (error) {
    if (error instanceof Error && error.name === 'ValidationError') return undefined
    throw error
  }
}
