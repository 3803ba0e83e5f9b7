/** A secret in memory. Printing it gives `[secret]`; only `reveal` returns the value. */
import { inspect } from 'node:util'
import * as z from 'zod'

const printed = '[secret]'

export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** The value itself, for encryption or for the one call that needs it. */
  reveal(): string {
    return this.#value
  }

  toString(): string {
    return printed
  }

  toJSON(): string {
    return printed
  }

  [inspect.custom](): string {
    return printed
  }
}

const shownCharacters = 4
/** The last characters would reveal too much of a shorter secret. */
const minMaskedLength = 12

/** The mask of a secret: `…` and its last 4 characters, or only `…` for a short one. */
export const maskOf = (secret: Secret): string => {
  const value = secret.reveal()
  // Half a surrogate pair cannot be stored.
  const end = value.slice(-shownCharacters).replace(/^[\udc00-\udfff]/, '')
  return value.length < minMaskedLength ? '…' : `…${end}`
}

/** Paths that every OTLP receiver has, so they contain no token. */
const openPath = /^\/(?:v1\/(?:traces|metrics|logs))?$/

/** The mask of a URL that contains a token: scheme, host and the mask of the token. */
export const maskedUrl = (secret: Secret): string => `${new URL(secret.reveal()).origin}/${maskOf(secret)}`

/** The mask of a URL that can contain a token: the full URL if it has no room for one. */
export function maskedEndpoint(secret: Secret): string {
  const { pathname, search, hash } = new URL(secret.reveal())
  return openPath.test(pathname) && search === '' && hash === '' ? secret.reveal() : maskedUrl(secret)
}

/** Whether a text is a mask from a read. Storing it would overwrite the secret with the mask. */
export const isMask = (text: string): boolean => text.includes('…')
export const maskMessage = 'is the mask of a stored secret; send the secret itself or leave the field out'

/** A secret field of a request: `text` checks the text, then it is wrapped in `Secret`. */
export const secretField = (
  text: z.ZodType<string, string> = z.string().min(1).max(4096).meta({ pattern: '^[^…]+$' }),
) =>
  text
    .refine((value) => !isMask(value), maskMessage)
    .refine((value) => Buffer.byteLength(value) <= 4096, 'must not be longer than 4096 bytes')
    .transform((value) => new Secret(value))
