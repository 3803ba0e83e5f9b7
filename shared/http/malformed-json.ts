/** Says where a body stops being JSON, and nothing of what it holds. */

/** Looking for the place reads a body some 15 times over; this much is read in a fraction of a millisecond. */
const longestSearched = 16 * 1024

/**
 * Where a text stops being JSON: behind the longest beginning that could still go on as some. V8 names the place in
 * some of its messages only, and quotes the body in the others, which may hold a secret.
 */
export function whereBroken(text: string): string {
  if (text.length > longestSearched) return ''
  let [good, bad] = [0, text.length + 1]
  while (bad - good > 1) {
    const middle = (good + bad) >> 1
    if (mayGoOn(text.slice(0, middle))) good = middle
    else bad = middle
  }
  if (good === text.length) return ': it ends too early'
  const lines = text.slice(0, good).split('\n')
  return `: at position ${good} (line ${lines.length}, column ${(lines.at(-1)?.length ?? 0) + 1})`
}

/** Whether a text is the beginning of some JSON: nothing is wrong with it but that it ends. */
function mayGoOn(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch (error) {
    // Anchored, so that it is V8's own number and never one out of the body.
    const [, position] = /^[^"]* in JSON at position (\d+)(?: \(|$)/.exec((error as SyntaxError).message) ?? []
    return position === undefined
      ? /^Unexpected end /.test((error as SyntaxError).message)
      : Number(position) === text.length
  }
}
