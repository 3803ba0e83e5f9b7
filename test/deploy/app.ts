/**
 * The app as the emulator can take it: the very stacks of `bin/settings-api.ts`, less the resource types that the
 * emulator does not know. What is left out is named in the test's output, since it is not proved by it.
 */
import { App, CfnResource } from 'aws-cdk-lib'
import { addStacks } from '../../lib/app.ts'
import { readStageSettings } from '../../lib/stage.ts'

const unknownToTheEmulator = new Set(['AWS::Events::Archive'])

const app = new App()
addStacks(
  app,
  readStageSettings((name) => app.node.tryGetContext(name)),
)
for (const construct of app.node.findAll()) {
  if (!CfnResource.isCfnResource(construct) || !unknownToTheEmulator.has(construct.cfnResourceType)) continue
  console.error(`NOT PROVED: ${construct.cfnResourceType} ${construct.node.path} is left out`)
  construct.node.scope?.node.tryRemoveChild(construct.node.id)
}
