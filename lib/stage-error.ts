/** Thrown for invalid options; the message names the value and the fix. */
export class StageSettingsError extends Error {
  override readonly name = 'StageSettingsError'
}
