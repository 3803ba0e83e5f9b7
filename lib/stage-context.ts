/**
 * The settings of a stage, from the context of an app. A `-c` name that is nearly one of ours is refused: CDK takes any
 * name, and a deploy with `-c satge=prod` would quietly be one of `dev`.
 */
import type { App } from 'aws-cdk-lib'
import { editDistance } from '../shared/edit-distance.ts'
import { readStageSettings, type StageSettings } from './stage.ts'
import { StageSettingsError } from './stage-error.ts'

/** @throws StageSettingsError for a value or a name that cannot be deployed with */
export function stageSettingsOf(app: App): StageSettings {
  const context: Record<string, unknown> = app.node.getAllContext()
  refuseMisspelled(Object.keys(context))
  return readStageSettings((name) => context[name])
}

/** The names that are read; what an app without context asks for is all of them. */
export function contextNames(): string[] {
  const names = new Set<string>()
  readStageSettings((name) => {
    names.add(name)
    return undefined
  })
  return [...names]
}

/** @throws StageSettingsError */
export function refuseMisspelled(given: readonly string[]): void {
  const known = contextNames()
  for (const name of given) {
    if (known.includes(name) || !isOfOurKind(name)) continue
    const meant = known.find((candidate) => isNearly(name, candidate))
    if (meant) throw new StageSettingsError(`-c ${name}: there is no such setting; did you mean -c ${meant}?`)
  }
}

/** CDK's own names, and those of other apps in `~/.cdk.json`, have colons, slashes or an @ in them. */
const isOfOurKind = (name: string): boolean => /^[\w-]+$/.test(name)

/** A slip or two in a long name, one in a short one; how words are joined and written does not count. */
const isNearly = (name: string, candidate: string): boolean =>
  editDistance(bare(name), bare(candidate)) <= (candidate.length < 8 ? 1 : 2)

const bare = (name: string): string => name.toLowerCase().replaceAll(/[_-]/g, '')
