/** The settings that a stage is deployed with, for `npm run preflight`. */
import { readStageSettings, type StageSettings } from '../lib/stage.ts'

/** @throws StageSettingsError */
export const settingsOf = (stage: string): StageSettings =>
  readStageSettings((name) => (name === 'stage' ? stage : undefined))
