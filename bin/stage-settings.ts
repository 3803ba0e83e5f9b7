/** The settings of a stage for commands: its file, overridden by `-c name=value`. */
import type { StageSettings } from '../lib/stage.ts'
import { contextNames, loadStageSettings, refuseMisspelled } from '../lib/stage-context.ts'
import { StageSettingsError } from '../lib/stage-error.ts'
import { requireStage, UsageError } from './command.ts'

/** Options of `parseArgs` for a command that reads the settings of a stage. */
export const stageArguments = {
  stage: { type: 'string', default: 'dev' },
  context: { type: 'string', short: 'c', multiple: true, default: [] as string[] },
} as const

/** The options of a stage in the CDK CLI's syntax. */
export const contextArguments = (stage: string, context: readonly string[]): string[] =>
  [`stage=${stage}`, ...context].flatMap((entry) => ['-c', entry])

/** @throws UsageError naming the option, its source and the fix */
export function settingsOf(stage: string, context: readonly string[] = []): StageSettings {
  const given = new Map<string, string>([['stage', requireStage(stage)]])
  for (const entry of context) {
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(entry) ?? []
    if (name === 'stage') throw new UsageError('Name the stage with --stage, not with -c.')
    if (name === undefined || value === undefined)
      throw new UsageError(`-c ${entry}: must be an option with its value, like -c alarm_email=oncall@example.com`)
    given.set(name, value)
  }
  try {
    refuseMisspelled([...given.keys()])
    const unknown = [...given.keys()].find((name) => !contextNames.includes(name))
    if (unknown) throw new UsageError(`-c ${unknown}: there is no such option; docs/deploying.md lists the options.`)
    return loadStageSettings((name) => given.get(name))
  } catch (error) {
    throw error instanceof StageSettingsError ? new UsageError(error.message) : error
  }
}
