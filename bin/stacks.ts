/** The stacks of a stage in the account. */
import { CloudFormationClient, paginateDescribeStacks, type Stack } from '@aws-sdk/client-cloudformation'
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
