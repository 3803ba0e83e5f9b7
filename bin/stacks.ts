/** The stacks of a stage in the account. */
import {
  CloudFormationClient,
  DescribeStacksCommand,
  paginateDescribeStacks,
  type Stack,
} from '@aws-sdk/client-cloudformation'
import { stackName } from '../lib/stage.ts'

type Limits = ConstructorParameters<typeof CloudFormationClient>[0]

/** Stack suffixes have no hyphen, so stacks of `dev-a` do not match `dev`. */
export async function stacksOf(stage: string, limits: Limits = {}): Promise<Stack[]> {
  const pattern = new RegExp(`^${stackName(stage, '')}[A-Za-z0-9]+$`)
  const found: Stack[] = []
  for await (const { Stacks = [] } of paginateDescribeStacks({ client: new CloudFormationClient(limits) }, {}))
    found.push(...Stacks.filter(({ StackName = '' }) => pattern.test(StackName)))
  return found
}

/** One stack, with its protection, which a description of all stacks omits. Undefined if there is no such stack. */
export const describeStack = async (name: string): Promise<Stack | undefined> =>
  (await unlessAbsent(new CloudFormationClient({}).send(new DescribeStacksCommand({ StackName: name }))))?.Stacks?.[0]

/** Undefined where CloudFormation has no stack of that name: it calls that a validation error. */
export async function unlessAbsent<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call
  } catch (error) {
    if (error instanceof Error && error.name === 'ValidationError') return undefined
    throw error
  }
}
