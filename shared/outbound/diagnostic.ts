/** What a caller is told of another's own words: short, printable, and without anything of a secret in it. */
import type { Secret } from '../secrets/secret.ts'
import { repeatsSecret } from './echo.ts'

const maxDiagnosticLength = 500
/** What is said before the words of a provider has its place. */
const maxWordsLength = 450
/** Providers repeat keys, whole, cut or starred out. A word that shares this many characters in a row with one goes. */
const tellingLength = 6

/** A text of at most 500 characters. */
export const shortened = (text: string, maxLength = maxDiagnosticLength): string =>
  text.length <= maxLength ? text : `${text.slice(0, maxLength - 1).toWellFormed()}…`

/** The text in one line, cut to 450 characters, each word that tells of a secret replaced. */
export function diagnostic(text: string, secrets: readonly Secret[]): string {
  const forms = secrets.flatMap((secret) => formsOf(secret.reveal().toLowerCase()))
  const windows = new Set(forms.flatMap(windowsOf))
  const short = forms.filter((form) => form.length < tellingLength)
  const words = text
    // Longer texts are of no use, and each word costs a look at every part of it.
    .slice(0, 8 * maxWordsLength)
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    // Up to the next space, whatever marks are between: a secret may hold any of them.
    .replaceAll(/\S+/g, (word) => (tells(word.toLowerCase(), windows, short) ? '[secret]' : word))
    .replaceAll(/\s+/g, ' ')
    .trim()
    .toWellFormed()
  const spelled = secrets.some((secret) => repeatsSecret(words, secret))
  return spelled ? 'a text that repeats the key' : shortened(words, maxWordsLength)
}

const tells = (word: string, windows: ReadonlySet<string>, short: readonly string[]): boolean =>
  /\*{2,}/.test(word) ||
  windowsOf(word).some((window) => windows.has(window)) ||
  short.some((form) => word.includes(form))

/** A secret as it may be repeated: as it is, and in a URL. */
const formsOf = (secret: string): string[] => [secret, encodeURIComponent(secret).toLowerCase()]

const windowsOf = (text: string): string[] =>
  Array.from({ length: Math.max(0, text.length - tellingLength + 1) }, (_, at) => text.slice(at, at + tellingLength))
