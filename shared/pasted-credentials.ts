/** Credentials in texts, since people paste them anywhere. */

/** Whether a text holds a raw API key. */
export const holdsRawKey = (text: string): boolean => /oct_(?:org|app|pub|svc)_(?:live|test)_[0-9A-Za-z]{38}/.test(text)

/**
 * Cuts every raw key in a text to its typed prefix, and every JWT to its first letters. For logs, answers and the audit trail.
 */
export const withoutKeys = (text: string): string =>
  text
    .replaceAll(/(oct_(?:org|app|pub|svc)_(?:live|test)_)[0-9A-Za-z]+/g, '$1…')
    .replaceAll(/\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?/g, 'eyJ…')
