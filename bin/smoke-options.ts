/** Options and secret variables of `npm run smoke` and `npm run deploy` for the checks of a running API. */
import { UsageError } from './command.ts'
import { type SmokeOptions, smokeCheckNames } from './smoke-run.ts'

/** Options of `parseArgs`. */
export const smokeArguments = { connect: { type: 'string' }, skip: { type: 'string' } } as const

/** @throws UsageError naming the option */
export function readSmokeOptions({ connect, skip }: { connect?: string | undefined; skip?: string | undefined }) {
  if (connect !== undefined) requireAddress('--connect', connect)
  return {
    connect,
    skip: readSkip(skip),
    apiKey: process.env.OCTOMIL_API_KEY || undefined,
    // Several secrets are valid during a rotation; use any of them.
    webhookSecret: process.env.STRIPE_WEBHOOK_SECRET?.split(',')[0]?.trim() || undefined,
  } satisfies Partial<SmokeOptions>
}

/** @throws UsageError */
export function requireAddress(option: string, text: string): void {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) && /^\/?$/.test(new URL(text).pathname)) return
  throw new UsageError(
    `${option} must be an address like http://127.0.0.1:3000, without a path, not ${text || 'empty'}`,
  )
}

function readSkip(list: string | undefined): string[] {
  const names = list === undefined ? [] : list.split(',').map((name) => name.trim())
  const unknown = names.find((name) => !smokeCheckNames.includes(name))
  if (unknown === undefined) return names
  throw new UsageError(`--skip: there is no check ${unknown || 'without a name'}; the checks are listed below.`)
}
