/** The app as it is synthesized for a stage, for tests to read. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App, type Stack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import cdkJson from '../../cdk.json' with { type: 'json' }
import { addStacks } from '../../lib/app.ts'
import { readStageSettings } from '../../lib/stage.ts'

// biome-ignore lint/suspicious/noExplicitAny: templates are read as they come
export type Resource = { Type: string; Properties: any; DeletionPolicy?: string }

/** The stacks of a stage, in the order in which they were added. */
export function stacksOf(context: Record<string, string>): Stack[] {
  const app = new App({
    outdir: mkdtempSync(join(tmpdir(), 'octomil-synth-')),
    context: { ...cdkJson.context, ...context },
  })
  addStacks(
    app,
    readStageSettings((name) => app.node.tryGetContext(name)),
  )
  return app.node.children.filter((child): child is Stack => 'stackName' in child)
}

/** The templates of a stage, by stack name. */
export const synthesize = (context: Record<string, string>): Map<string, Template> =>
  new Map(stacksOf(context).map((stack) => [stack.stackName, Template.fromStack(stack)]))

export const resourcesOf = (templates: Iterable<Template>): Resource[] =>
  [...templates].flatMap((template) => Object.values(template.toJSON().Resources ?? {}) as Resource[])

export const ofType = (resources: readonly Resource[], type: string): Resource[] =>
  resources.filter(({ Type }) => Type === type)
