/** Thrown for context that cannot be deployed with; the message names the value and the fix. */
export class StageSettingsError extends Error {
  override readonly name = 'StageSettingsError'
}
