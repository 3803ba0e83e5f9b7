/** Diagnostics for callers from the text of a third party: short, printable, and without parts of a secret. */
import type { Secret } from '../secrets/secret.ts'
import { repeatsSecret } from './echo.ts'

const maxDiagnosticLength = 500
/** Leaves room for the text before the words of a provider. */
const maxWordsLength = 450
/**
 * Providers repeat keys in full, cut or masked. A word that shares this many consecutive characters with a key is
 * replaced.
 */
const tellingLength = 6

/** Cuts a text to 500 characters. */
export const shortened = (text: string, maxLength = maxDiagnosticLength): string =>
  text.length <= maxLength ? text : `${text.slice(0, maxLength - 1).toWellFormed()}…`

/** The text in one line, cut to 450 characters. Replaces each word that reveals part of a secret. */
export function diagnostic(text: string, secrets: readonly Secret[]): string {
  const forms = secrets.flatMap((secret) => formsOf(secret.reveal().toLowerCase()))
  const windows = new Set(forms.flatMap(windowsOf))
  const short = forms.filter((form) => form.length < tellingLength)
  const words = text
    // A limit on the work: each word costs a check of all its parts.
    .slice(0, 8 * maxWordsLength)
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    // A word ends at a space only: a secret can contain any other character.
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

/** The forms in which a text can repeat a secret: unchanged, and in a URL. */
const formsOf = (secret: string): string[] => [secret, encodeURIComponent(secret).toLowerCase()]

const windowsOf = (text: string): string[] =>
  Array.from({ length: Math.max(0, text.length - tellingLength + 1) }, (_, at) => text.slice(at, at + tellingLength))
