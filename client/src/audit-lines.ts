/** The lines of an export. */

export interface ExportedEvent {
  id: string
  timestamp: string
  hash: string
  /** The number of its block. null: it is in none yet. */
  sealed: number | null
}

export interface ExportedBlock {
  org_id: string
  number: number
  previous_hash: string
  events: { id: string; hash: string }[]
  sealed_at: string
  hash: string
}

export interface ExportedCheckpoint {
  id: string
  org_id: string
  block: number
  hash: string
  at: string
  kid: string
  signature: string
}

export type ExportedLine = { event: ExportedEvent } | { block: ExportedBlock } | { checkpoint: ExportedCheckpoint }

/** @throws SyntaxError that says why a text is not a line of an export */
export function parseLine(text: string): ExportedLine {
  const value = parseJson(text)
  const { kind, content } = onlyMember(value)
  // Other readers of JSON keep the first of two equal names: they would show a content that is not verified.
  if (JSON.stringify(value) !== text && countNames(text) !== countMembers(value)) {
    throw new SyntaxError('The line has a name twice in one object.')
  }
  if (kind === 'event' && isEvent(content)) return { event: content }
  if (kind === 'block' && isBlock(content)) return { block: content }
  if (kind === 'checkpoint' && isCheckpoint(content)) return { checkpoint: content }
  throw new SyntaxError(['event', 'block', 'checkpoint'].includes(kind) ? `The ${kind} has wrong fields.` : notALine)
}

/** The kind of a line and its content. */
function onlyMember(value: unknown): { kind: string; content: object } {
  const [[kind, content] = ['', undefined], ...others] = isObject(value) ? Object.entries(value) : []
  if (others.length > 0 || !isObject(content)) throw new SyntaxError(notALine)
  return { kind, content }
}

const notALine = 'The line is not {"event":…}, {"block":…} or {"checkpoint":…}.'

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new SyntaxError('The line is not JSON.')
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const areTexts = (value: Record<string, unknown>, ...names: string[]): boolean =>
  names.every((name) => typeof value[name] === 'string')

const hasOnly = (value: object, count: number): boolean => Object.keys(value).length === count

const isNumber = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 1

// Each guard has checked the fields, so the type holds; other fields of an event are in its hash.
const isEvent = (value: unknown): value is ExportedEvent =>
  isObject(value) &&
  areTexts(value, 'id', 'timestamp', 'hash') &&
  (value.sealed === null || isNumber(value.sealed)) &&
  !Number.isNaN(Date.parse(value.timestamp as string))

const isMember = (value: unknown): boolean => isObject(value) && areTexts(value, 'id', 'hash') && hasOnly(value, 2)

const isBlock = (value: unknown): value is ExportedBlock =>
  isObject(value) &&
  areTexts(value, 'org_id', 'previous_hash', 'sealed_at', 'hash') &&
  isNumber(value.number) &&
  Array.isArray(value.events) &&
  value.events.every(isMember) &&
  !Number.isNaN(Date.parse(value.sealed_at as string))

// A signature covers four of the fields. No other field may stand beside them as if it were signed.
const isCheckpoint = (value: unknown): value is ExportedCheckpoint =>
  isObject(value) &&
  areTexts(value, 'id', 'org_id', 'hash', 'at', 'kid', 'signature') &&
  isNumber(value.block) &&
  hasOnly(value, 7) &&
  !Number.isNaN(Date.parse(value.at as string))

/** The names in a JSON text: strings that a colon follows. */
function countNames(text: string): number {
  let count = 0
  for (const [, colon] of text.matchAll(/"(?:\\.|[^"\\])*"(\s*:)?/g)) if (colon) count += 1
  return count
}

function countMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  const members = Object.values(value)
  const own = Array.isArray(value) ? 0 : members.length
  return members.reduce<number>((sum, member) => sum + countMembers(member), own)
}

const crockford = '0123456789abcdefghjkmnpqrstvwxyz'

/** The time in the id of an event: the first ten characters of a ULID count milliseconds. */
export const timeOfId = (id: string): number =>
  Array.from(id.slice(id.indexOf('_') + 1, id.indexOf('_') + 11)).reduce(
    (time, character) => time * 32 + crockford.indexOf(character),
    0,
  )
