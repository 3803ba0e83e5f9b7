/** The stacks of a stage, in the order of a deploy: data, sign-in, Stripe's events, functions, the API, monitoring. */
import type { App } from 'aws-cdk-lib'
import { Tags } from 'aws-cdk-lib'
import { ApiStack } from './api-stack.ts'
import { bundle } from './bundle.ts'
import { EventsStack } from './events-stack.ts'
import { FunctionsStack } from './functions-stack.ts'
import { withIdentity } from './identity-stack.ts'
import { MonitoringStack } from './monitoring-stack.ts'
import type { StageSettings } from './stage.ts'
import { StorageStack } from './storage-stack.ts'

/** Adds the stacks of a stage to an app. */
export function addStacks(app: App, named: StageSettings): void {
  const settings = withIdentity(app, named)
  const { folderOf: codeFolderOf } = bundle()
  const { table, secretsKey, stripeSecretArn } = new StorageStack(app, settings)
  const kept = { table, secretsKey, stripeSecretArn, settings, codeFolderOf }
  const events = new EventsStack(app, kept)
  const functions = new FunctionsStack(app, { ...kept, eventBus: events.eventBus })
  const api = new ApiStack(app, settings)
  // The API names its functions, rather than importing them: an export in use could never be removed.
  api.addStackDependency(functions)
  new MonitoringStack(app, { settings, httpApi: api.httpApi, table, events })
  Tags.of(app).add('service', 'octomil-settings')
  Tags.of(app).add('stage', settings.stage)
}
