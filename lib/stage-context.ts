/**
 * The settings of a stage, from its file and the context of an app. A misspelled `-c` name is
 * refused: CDK accepts any name, and `-c satge=prod` would deploy `dev`.
 */
import type { App } from 'aws-cdk-lib'
import { meantName } from './meant-name.ts'
import { readStageSettings, type StageSettings, stageNameOf } from './stage.ts'
import { StageSettingsError } from './stage-error.ts'
import { readStageFile } from './stage-file.ts'
import { optionNames } from './stage-options.ts'

/** @throws StageSettingsError for an invalid value or name */
export function stageSettingsOf(app: App): StageSettings {
  const context: Record<string, unknown> = app.node.getAllContext()
  refuseMisspelled(Object.keys(context))
  return loadStageSettings((name) => context[name])
}

/**
 * The settings to deploy: from the stage's file, overridden by the given context.
 *
 * @throws StageSettingsError for a protected stage without a file, and as `readStageSettings` does
 */
export function loadStageSettings(context: (name: string) => unknown): StageSettings {
  const stage = stageNameOf(context)
  const file = readStageFile(stage)
  const settings = readStageSettings(context, file)
  if (settings.retainData && !file) {
    throw new StageSettingsError(
      `-c stage=${stage} is a protected stage and has no file: copy stages/production.example.json to stages/${stage}.json and commit it, so that no deploy forgets an option. For a disposable stage, name it dev-<you> or set -c posture=disposable.`,
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

/** Names of the CDK, and of other apps in `~/.cdk.json`, contain colons, slashes or an @. */
const isOfOurKind = (name: string): boolean => /^[\w-]+$/.test(name)
