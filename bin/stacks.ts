/** The stacks of a stage that are in the account. */
import { CloudFormationClient, paginateDescribeStacks, type Stack } from '@aws-sdk/client-cloudformation'
import { stackName } from '../lib/stage.ts'

type Limits = ConstructorParameters<typeof CloudFormationClient>[0]

/** Parts of a name have no hyphen, so that the stacks of the stage `dev-a` are not those of `dev`. */
export async function stacksOf(stage: string, limits: Limits = {}): Promise<Stack[]> {
  const pattern = new RegExp(`^${stackName(stage, '')}[A-Za-z0-9]+$`)
  const found: Stack[] = []
  for await (const { Stacks = [] } of paginateDescribeStacks({ client: new CloudFormationClient(limits) }, {}))
    found.push(...Stacks.filter(({ StackName = '' }) => pattern.test(StackName)))
  return found
}
