/** Reads the options of a stage from `stages/<name>.json`. CDK context overrides them. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { meantName } from './meant-name.ts'
import { StageSettingsError } from './stage-error.ts'
import { optionNames } from './stage-options.ts'
import type { StageFile } from './stage-values.ts'

const folder = join(import.meta.dirname, '..', 'stages')

/**
 * Reads a stage's file. Returns undefined if there is none.
 *
 * @throws StageSettingsError for invalid JSON or an unknown option
 */
export function readStageFile(stage: string, inFolder = folder): StageFile | undefined {
  const file = join(inFolder, `${stage}.json`)
  const path = `stages/${stage}.json`
  if (!existsSync(file)) return undefined
  const { $schema: _, ...options } = parse(read(file, path), path)
  for (const name of Object.keys(options)) {
    if ((optionNames as string[]).includes(name)) continue
    const meant = meantName(name, optionNames)
    const hint = meant ? `did you mean ${meant}?` : 'docs/deploying.md lists the options.'
    throw new StageSettingsError(`${name} in ${path}: there is no such option; ${hint}`)
  }
  return { path, options }
}

function read(file: string, path: string): string {
  try {
    // Editors on Windows may begin a file with a byte order mark.
    return readFileSync(file, 'utf8').replace(/^\uFEFF/, '')
  } catch (error) {
    throw new StageSettingsError(`${path} cannot be read: ${error instanceof Error ? error.message : error}`)
  }
}

function parse(text: string, path: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return { ...parsed }
  } catch (error) {
    throw new StageSettingsError(`${path} is not JSON: ${error instanceof Error ? error.message : error}`)
  }
  throw new StageSettingsError(`${path} must contain an object of options`)
}
