/** The prose of a source file: its comments, strings and, of a test, its titles. TypeScript 7 has no scanner to import. */

export interface Prose {
  line: number
  kind: 'comment' | 'string'
  text: string
  /** The code before it, so that a caller can distinguish a test's title from data. */
  before: string
}

/** A slash after one of these begins a regular expression; after a name, a number or a bracket it divides. */
const beforeRegExp = /(?:^|[=(,:;!&|?{}[+\-*%<>~]|\b(?:return|typeof|case|in|of|yield|await|=>))\s*$/

const token =
  /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\[\s\S]|[^'\\\n])*'|"(?:\\[\s\S]|[^"\\\n])*"|\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*|[`{}]/g

/** The text of a template up to its end or to `${`, and where it stops. */
function templatePart(source: string, start: number): { text: string; end: number; opens: boolean } {
  const part = /(?:\\[\s\S]|\$(?!\{)|[^`\\$])*/y
  part.lastIndex = start
  const text = part.exec(source)?.[0] ?? ''
  const end = start + text.length
  return { text, end, opens: source.startsWith('${', end) }
}

const startOf = (source: string, index: number): string => source.slice(Math.max(0, index - 60), index)

/** Comments and strings of TypeScript or JavaScript, in order. A template counts as one string per part. */
export function proseOf(source: string): Prose[] {
  const found: Prose[] = []
  const lineAt = (index: number) => source.slice(0, index).split('\n').length
  /** Open braces: true for a `${` of a template, whose `}` continues that template. */
  const braces: boolean[] = []
  const add = (kind: Prose['kind'], text: string, index: number) =>
    found.push({ line: lineAt(index), kind, text, before: startOf(source, index) })

  let position = 0
  const readTemplate = (start: number) => {
    const { text, end, opens } = templatePart(source, start)
    add('string', text, start - 1)
    if (opens) braces.push(true)
    position = end + (opens ? 2 : 1)
  }
  for (;;) {
    token.lastIndex = position
    const match = token.exec(source)
    if (!match) return found
    const { 0: text, index } = match
    position = index + text.length
    if (text === '`') readTemplate(position)
    else if (text === '{') braces.push(false)
    else if (text === '}') {
      if (braces.pop()) readTemplate(position)
    } else if (/^\/[/*]/.test(text)) add('comment', text, index)
    else if (text.startsWith('/')) {
      if (!beforeRegExp.test(startOf(source, index))) position = index + 1
    } else add('string', text.slice(1, -1), index)
  }
}
