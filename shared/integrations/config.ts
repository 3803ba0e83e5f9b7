/** Merges the configuration in a request into the stored one, and encrypts its secrets. */
import { faultsOf, parseOptions } from '../faults.ts'
import { invalidInput } from '../problem.ts'
import { secretNeeded } from '../secrets/destination.ts'
import { encrypt } from '../secrets/encrypt.ts'
import type { SecretBinding } from '../secrets/kms.ts'
import { maskedEndpoint, maskedUrl, maskOf, Secret } from '../secrets/secret.ts'
import { looksLikePlaceholder } from './placeholder.ts'
import { configInput, type KeptSecret, type KeptValue, shownField } from './record.ts'
import { type FieldSpec, type IntegrationType, maxHeaders, specOf } from './types.ts'

type Config = Record<string, KeptValue>

/** Splits the configuration of a patch into known fields and the names of unknown ones. */
export function splitKnown(type: IntegrationType, config: Record<string, unknown>) {
  const { fields } = specOf(type)
  const known = Object.entries(config).filter(([name]) => Object.hasOwn(fields, name))
  const ignored = Object.keys(config).filter((name) => !Object.hasOwn(fields, name))
  return { known: Object.fromEntries(known), ignored: ignored.map((name) => `config.${name}`) }
}

/** @throws ProblemError `invalid_input`, each fault under `config.` */
export function parseConfig(type: IntegrationType, config: Record<string, unknown>): Record<string, unknown> {
  const result = configInput(type).safeParse(config, parseOptions)
  if (!result.success) throw invalidInput(faultsOf(result.error, ['config']))
  return result.data
}

/**
 * Refuses a new destination while secrets are stored, unless the request sends each secret again or deletes it (null).
 *
 * @throws ProblemError `invalid_input`
 */
export function requireSecretsAgain(type: IntegrationType, current: Config, changes: Record<string, unknown>): void {
  const fields = Object.entries(specOf(type).fields)
  const moved = fields.find(([name, spec]) => spec.destination && isMoved(spec, current[name], changes[name]))?.[0]
  if (moved === undefined) return
  const missing = fields.flatMap(([name, spec]) => {
    if (spec.destination || spec.keeping === 'plain' || current[name] === undefined) return []
    if (spec.keeping !== 'secret_map') return changes[name] === undefined ? [name] : []
    if (changes[name] === null) return []
    const given = Object.keys((changes[name] as object | undefined) ?? {}).map((header) => header.toLowerCase())
    const stored = Object.keys(current[name] as object)
    return stored.filter((header) => !given.includes(header.toLowerCase())).map((header) => `${name}.${header}`)
  })
  if (missing.length > 0) throw invalidInput(missing.map((name) => secretNeeded(`config.${name}`, moved)))
}

/** An encrypted URL cannot be compared; a URL shown in full can. */
function isMoved(spec: FieldSpec, stored: KeptValue, wanted: unknown): boolean {
  if (wanted === undefined || wanted === null) return false
  return stored === undefined || shownField(spec, stored) !== wanted
}

/** Merges the fields of a request: absent keeps, null deletes, other values are stored or encrypted. */
export async function mergeConfig(
  type: IntegrationType,
  current: Config,
  changes: Record<string, unknown>,
  binding: SecretBinding,
): Promise<Config> {
  const merged: Config = { ...current }
  for (const [name, value] of Object.entries(changes)) {
    const spec = specOf(type).fields[name]
    if (!spec || value === undefined) continue
    if (value === null) delete merged[name]
    else merged[name] = await keep({ spec, path: `config.${name}` }, value, current[name], binding)
  }
  return merged
}

interface Field {
  spec: FieldSpec
  path: string
}

async function keep(
  { spec, path }: Field,
  value: unknown,
  current: KeptValue,
  binding: SecretBinding,
): Promise<KeptValue> {
  if (spec.keeping === 'plain') return value
  if (spec.keeping !== 'secret_map') return encryptText(String(value), spec.keeping, binding)
  const names = { ...(current as Record<string, KeptSecret> | undefined) }
  for (const [name, text] of Object.entries(value as Record<string, string | null>)) {
    // Header names are case-insensitive.
    for (const stored of Object.keys(names)) if (stored.toLowerCase() === name.toLowerCase()) delete names[stored]
    if (text !== null) names[name] = await encryptText(text, 'secret', binding)
  }
  if (Object.keys(names).length > maxHeaders) {
    const message = `must not hold more than ${maxHeaders} names, including the stored ones`
    throw invalidInput([{ path, code: 'too_big', message }])
  }
  return names
}

const maskFor = (keeping: FieldSpec['keeping']) =>
  keeping === 'secret_url' ? maskedUrl : keeping === 'endpoint' ? maskedEndpoint : maskOf

async function encryptText(text: string, keeping: FieldSpec['keeping'], binding: SecretBinding): Promise<KeptSecret> {
  const secret = new Secret(text)
  const encrypted = await encrypt(secret, binding, maskFor(keeping)(secret))
  return { ...encrypted, placeholder: looksLikePlaceholder(text) }
}
