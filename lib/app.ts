/** The whole app: stacks that keep, sign-in, Stripe's events, the API, a stack for each resource folder, and what watches. */
import type { App } from 'aws-cdk-lib'
import { Tags } from 'aws-cdk-lib'
import { catchAll, operationList } from '../functions/operations.ts'
import type { Operation } from '../shared/http/operation.ts'
import { ApiStack } from './api-stack.ts'
import { bundle } from './bundle.ts'
import { EventsStack } from './events-stack.ts'
import { withIdentity } from './identity-stack.ts'
import { MonitoringStack } from './monitoring-stack.ts'
import { ResourceStack } from './resource-stack.ts'
import type { StageSettings } from './stage.ts'
import { StorageStack } from './storage-stack.ts'
import { WebBucketStack } from './web-bucket-stack.ts'
import { WebStack } from './web-stack.ts'

/** Adds the stacks of a stage to an app. */
export function addStacks(app: App, named: StageSettings): void {
  const settings = withIdentity(app, named)
  const { folderOf } = bundle()
  const { table, secretsKey, stripeSecretArn } = new StorageStack(app, settings)
  const kept = { table, secretsKey, stripeSecretArn, settings }
  const events = new EventsStack(app, { ...kept, codeFolderOf: folderOf })
  const { httpApi } = new ApiStack(app, settings)
  const web = new WebStack(app, settings, folderOf('web'))
  web.addStackDependency(new WebBucketStack(app, settings))
  const { referenceScript } = web
  const folders = byFolder()
  for (const [folder, operations] of folders) {
    const codeFolderOf = (file: string) => folderOf(`${folder}/${file}`)
    new ResourceStack(app, folder, {
      ...kept,
      operations,
      codeFolderOf,
      eventBus: events.eventBus,
      httpApi,
      referenceScript,
    })
  }
  new MonitoringStack(app, { stage: settings.stage, httpApi, table, events, folders: [...folders.keys()] })
  Tags.of(app).add('service', 'octomil-settings')
  Tags.of(app).add('stage', settings.stage)
}

function byFolder(): Map<string, [file: string, Operation][]> {
  const folders = new Map<string, [string, Operation][]>()
  const all: readonly (readonly [string, Operation])[] = [...operationList, [catchAll.name, catchAll.operation]]
  for (const [name, operation] of all) {
    const [folder = '', file = ''] = name.split('/')
    folders.set(folder, [...(folders.get(folder) ?? []), [file, operation]])
  }
  return folders
}
