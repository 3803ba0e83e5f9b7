/** Ids of models, which are file paths, repository names or texts with spaces: one rule wherever one is read or written. */

/** No request could name an id that is longer, has a control or direction character, or begins or ends with a space. */
export const modelIdPattern =
  /^[^\s\p{Cc}\p{Bidi_Control}](?:[^\p{Cc}\p{Bidi_Control}]{0,298}[^\s\p{Cc}\p{Bidi_Control}])?$/u

export const modelIdRule =
  'must be the id of a model: 1 to 300 characters, without control characters and without spaces around it'

export const isModelId = (value: unknown): value is string =>
  typeof value === 'string' && modelIdPattern.test(value) && value.isWellFormed()
