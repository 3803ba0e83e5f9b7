/** The stacks of a stage, in the order of a deploy: data, sign-in, Stripe's events, readers of the table's stream,
 * functions, the API, monitoring. */
import type { App } from 'aws-cdk-lib'
import { Tags } from 'aws-cdk-lib'
import type { ReferenceScript } from '../shared/http/reference-page.ts'
import { ApiStack } from './api-stack.ts'
import { bundle } from './bundle.ts'
import { DeliveryStack } from './delivery-stack.ts'
import { EventsStack } from './events-stack.ts'
import { FunctionsStack } from './functions-stack.ts'
import { withIdentity } from './identity-stack.ts'
import { MonitoringStack } from './monitoring-stack.ts'
import type { StageSettings } from './stage.ts'
import { StorageStack } from './storage-stack.ts'
import { WebBucketStack } from './web-bucket-stack.ts'
import { WebStack } from './web-stack.ts'

/** Adds the stacks of a stage to an app. */
export function addStacks(app: App, named: StageSettings): void {
  const settings = withIdentity(app, named)
  const { folderOf: codeFolderOf } = bundle()
  const { table, tableStreamArn, secretsKey, auditKey, stripeSecretArn, frontSecretArn } = new StorageStack(
    app,
    settings,
  )
  const kept = { table, secretsKey, auditKey, stripeSecretArn, settings, codeFolderOf }
  const events = new EventsStack(app, kept)
  const delivery = new DeliveryStack(app, { ...kept, eventBus: events.eventBus, tableStreamArn })
  const referenceScript = settings.web ? addWeb(app, settings, codeFolderOf('web')) : undefined
  const functions = new FunctionsStack(app, {
    ...kept,
    ...{ eventBus: events.eventBus, deliveryQueues: delivery.queues, frontSecretArn, referenceScript },
  })
  const api = new ApiStack(app, settings, frontSecretArn)
  // The API refers to functions by name: an export in use could never be removed.
  api.addStackDependency(functions)
  new MonitoringStack(app, { settings, httpApi: api.httpApi, table, events, delivery })
  Tags.of(app).add('service', 'octomil-settings')
  Tags.of(app).add('stage', settings.stage)
}

function addWeb(app: App, settings: StageSettings, folder: string): ReferenceScript {
  const web = new WebStack(app, settings, folder)
  web.addStackDependency(new WebBucketStack(app, settings))
  return web.referenceScript
}
