/**
 * Model ids can be file paths, repository names or texts with spaces. This rule applies wherever one is read or
 * written.
 */

/**
 * Refuses ids that requests cannot name: too long, with control or direction characters, or with spaces at the ends.
 */
export const modelIdPattern =
  /^[^\s\p{Cc}\p{Bidi_Control}](?:[^\p{Cc}\p{Bidi_Control}]{0,298}[^\s\p{Cc}\p{Bidi_Control}])?$/u

export const modelIdRule =
  'must be the id of a model: 1 to 300 characters, without control characters and without spaces around it'

export const isModelId = (value: unknown): value is string =>
  typeof value === 'string' && modelIdPattern.test(value) && value.isWellFormed()
