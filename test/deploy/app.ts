/**
 * The app as the emulator can take it: the very stacks of `bin/settings-api.ts`, less what the emulator does not know.
 * What is left out is named in the test's output, since it is not proved by it.
 */
import { App, CfnResource, Stack } from 'aws-cdk-lib'
import { CfnRole } from 'aws-cdk-lib/aws-iam'
import { addStacks } from '../../lib/app.ts'
import { readStageSettings } from '../../lib/stage.ts'

const unknownTypes = new Set(['AWS::Events::Archive'])
/** A condition on a key that it does not know is never met there: the action would be refused to everybody. */
const unknownConditionKey = 'kms:EncryptionContext:'

const app = new App()
addStacks(
  app,
  readStageSettings((name) => app.node.tryGetContext(name)),
)
for (const construct of app.node.findAll()) {
  if (construct instanceof CfnRole) dropUnknownConditions(construct)
  if (!CfnResource.isCfnResource(construct) || !unknownTypes.has(construct.cfnResourceType)) continue
  console.error(`NOT PROVED: ${construct.cfnResourceType} ${construct.node.path} is left out`)
  construct.node.scope?.node.tryRemoveChild(construct.node.id)
}

function dropUnknownConditions(role: CfnRole): void {
  const policies: { PolicyDocument: { Statement: { Condition?: object }[] } }[] =
    Stack.of(role)
      .resolve(role.policies)
      ?.map((policy: Record<string, unknown>) => ({ PolicyDocument: policy.policyDocument })) ?? []
  for (const [policy, { PolicyDocument }] of policies.entries()) {
    for (const [statement, { Condition }] of PolicyDocument.Statement.entries()) {
      if (!JSON.stringify(Condition ?? '').includes(unknownConditionKey)) continue
      console.error(`NOT PROVED: the condition ${unknownConditionKey}* of ${role.node.path} is left out`)
      role.addPropertyDeletionOverride(`Policies.${policy}.PolicyDocument.Statement.${statement}.Condition`)
    }
  }
}
