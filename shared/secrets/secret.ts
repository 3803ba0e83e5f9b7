/** A secret in memory: whatever prints it prints `[secret]`, and only `reveal` hands it out. */
import { inspect } from 'node:util'
import * as z from 'zod'

const printed = '[secret]'

export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** The value itself, for sealing it or for the one call that needs it. */
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
/** A shorter secret would be given away by its last characters. */
const minMaskedLength = 12

/** What may be shown of a secret: `…` and its last 4 characters, or `…` alone when it is short. */
export const maskOf = (secret: Secret): string => {
  const value = secret.reveal()
  // Half of a surrogate pair cannot be stored.
  const end = value.slice(-shownCharacters).replace(/^[\udc00-\udfff]/, '')
  return value.length < minMaskedLength ? '…' : `…${end}`
}

/** Paths that every OTLP receiver has, so that they hold no token. */
const openPath = /^\/(?:v1\/(?:traces|metrics|logs))?$/

/** What may be shown of a URL that holds a token: scheme, host and the mask. */
export const maskedUrl = (secret: Secret): string => `${new URL(secret.reveal()).origin}/${maskOf(secret)}`

/** What may be shown of a URL that can hold a token: all of it where there is no room for one. */
export function maskedEndpoint(secret: Secret): string {
  const { pathname, search, hash } = new URL(secret.reveal())
  return openPath.test(pathname) && search === '' && hash === '' ? secret.reveal() : maskedUrl(secret)
}

/** Whether a text is what a read shows in the place of a secret; written back, it would replace what it stands for. */
export const isMask = (text: string): boolean => text.includes('…')
export const maskMessage = 'is the mask of a stored secret; send the secret itself or leave the field out'

/**
 * A field of a request that is secret: the text is checked by `text`, then wrapped.
 */
export const secretField = (
  text: z.ZodType<string, string> = z.string().min(1).max(4096).meta({ pattern: '^[^…]+$' }),
) =>
  text
    .refine((value) => !isMask(value), maskMessage)
    .refine((value) => Buffer.byteLength(value) <= 4096, 'must not be longer than 4096 bytes')
    .transform((value) => new Secret(value))
