/** Finds the position where a body stops being JSON. Never quotes the body. */

/** The search parses a body about 15 times. At this size it takes a fraction of a millisecond. */
const maxSearchedLength = 16 * 1024

/**
 * The position where a text stops being JSON: the end of the longest prefix of a valid text. Only some messages of V8 have
 * the position. The others quote the body, which may contain a secret.
 */
export function whereBroken(text: string): string {
  if (text.length > maxSearchedLength) return ''
  let [good, bad] = [0, text.length + 1]
  while (bad - good > 1) {
    const middle = (good + bad) >> 1
    if (isPrefix(text.slice(0, middle))) good = middle
    else bad = middle
  }
  if (good === text.length) return ': it ends too early'
  const lines = text.slice(0, good).split('\n')
  return `: at position ${good} (line ${lines.length}, column ${(lines.at(-1)?.length ?? 0) + 1})`
}

/** Whether a text is a prefix of valid JSON: its only fault is that it ends. */
function isPrefix(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch (error) {
    // Anchored, so that the number comes from V8 and never from the body.
    const [, position] = /^[^"]* in JSON at position (\d+)(?: \(|$)/.exec((error as SyntaxError).message) ?? []
    return position === undefined
      ? /^Unexpected end /.test((error as SyntaxError).message)
      : Number(position) === text.length
  }
}
