/**
 * The settings of a stage, from its file and the context of an app. A `-c` name that is nearly one of ours is refused:
 * CDK takes any name, and a deploy with `-c satge=prod` would be one of `dev`.
 */
import type { App } from 'aws-cdk-lib'
import { meantName } from './meant-name.ts'
import { readStageSettings, type StageSettings, stageNameOf } from './stage.ts'
import { StageSettingsError } from './stage-error.ts'
import { readStageFile } from './stage-file.ts'
import { optionNames } from './stage-options.ts'

/** @throws StageSettingsError for a value or a name that cannot be deployed with */
export function stageSettingsOf(app: App): StageSettings {
  const context: Record<string, unknown> = app.node.getAllContext()
  refuseMisspelled(Object.keys(context))
  return loadStageSettings((name) => context[name])
}

/**
 * The settings of a stage as they are deployed: of its file, with the given context before it.
 *
 * @throws StageSettingsError for a protected stage without a file, beside what `readStageSettings` refuses
 */
export function loadStageSettings(context: (name: string) => unknown): StageSettings {
  const stage = stageNameOf(context)
  const file = readStageFile(stage)
  const settings = readStageSettings(context, file)
  if (settings.retainData && !file) {
    throw new StageSettingsError(
      `-c stage=${stage} is a protected stage and has no file: copy stages/production.example.json to stages/${stage}.json and commit it, so that no deploy forgets an option. For a stage to throw away, name it dev-<you> or give -c posture=disposable.`,
    )
  }
  return settings
}

export const contextNames: readonly string[] = ['stage', ...optionNames]

/** @throws StageSettingsError */
export function refuseMisspelled(given: readonly string[]): void {
  for (const name of given) {
    if (contextNames.includes(name) || !isOfOurKind(name)) continue
    const meant = meantName(name, contextNames)
    if (meant) throw new StageSettingsError(`-c ${name}: there is no such setting; did you mean -c ${meant}?`)
  }
}

/** CDK's own names, and those of other apps in `~/.cdk.json`, have colons, slashes or an @ in them. */
const isOfOurKind = (name: string): boolean => /^[\w-]+$/.test(name)
