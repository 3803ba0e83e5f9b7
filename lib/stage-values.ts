/** The given options of a stage, from its file or `-c`, each validated separately. `-c` takes precedence. */
import * as z from 'zod'
import { StageSettingsError } from './stage-error.ts'
import { type OptionName, optionNames, type StageValues, stageOptions } from './stage-options.ts'

/** What `stages/<name>.json` holds. */
export interface StageFile {
  path: string
  options: Record<string, unknown>
}

export class GivenOptions {
  readonly values: StageValues
  readonly #sources: Partial<Record<OptionName, string>> = {}

  /** @throws StageSettingsError naming the option, its source and the fix */
  constructor(context: (name: string) => unknown, file?: StageFile) {
    const values: Record<string, unknown> = {}
    for (const name of optionNames) {
      const overriding = context(name)
      const given = overriding ?? file?.options[name]
      // `-c name=` takes back what the file says.
      if (given === undefined || (overriding !== undefined && given === '')) continue
      const isText = overriding !== undefined && typeof overriding === 'string'
      const written = `${name}=${redacted(textOf(given))}`
      const source = overriding !== undefined || !file ? `-c ${written}` : `${written} in ${file.path}`
      this.#sources[name] = source
      values[name] = checked(name, isText ? stageOptions[name].fromText(overriding) : given, source)
    }
    this.values = values
  }

  /** Source of an option, for messages: `-c domain_name=api.example.com`. */
  said(name: OptionName): string {
    return this.#sources[name] ?? `-c ${name}`
  }

  /** @throws StageSettingsError about an option */
  refuse(name: OptionName, fault: string): never {
    throw new StageSettingsError(`${this.said(name)}: ${fault}`)
  }

  /** @throws StageSettingsError if one of the options is set without the option they depend on */
  requireWith(needed: OptionName, dependants: readonly OptionName[]): void {
    if (this.values[needed] !== undefined) return
    const useless = dependants.find((name) => this.values[name] !== undefined)
    if (useless) this.refuse(useless, `has no effect without ${needed}; add ${needed}, or remove it`)
  }
}

function checked(name: OptionName, value: unknown, source: string): unknown {
  const { success, data, error } = (stageOptions[name].schema as z.ZodType).safeParse(value)
  if (success) return data
  throw new StageSettingsError(`${source}: ${error.issues[0]?.message}`)
}

/** A secret that was pasted into a wrong option must not reach a log. */
const redacted = (text: string): string =>
  text.replaceAll(/\b(sk|rk|whsec)_\w+/g, '$1_…').replaceAll(/(:\/\/)[^/@\s]+@/g, '$1…@')

const textOf = (value: unknown): string =>
  typeof value === 'string'
    ? value
    : Array.isArray(value)
      ? value.join(',')
      : typeof value === 'object' && value !== null
        ? Object.entries(value)
            .map((entry) => entry.join('='))
            .join(',')
        : String(value)

/** The JSON schema of stage files, for validation and completion in editors. */
export const stageFileSchema = () => ({
  ...z.toJSONSchema(
    z.strictObject({
      $schema: z.string().optional(),
      ...Object.fromEntries(optionNames.map((name) => [name, (stageOptions[name].schema as z.ZodType).optional()])),
    }),
    { target: 'draft-07', io: 'input' },
  ),
  title: 'Options of a stage of the Octomil settings API',
})
