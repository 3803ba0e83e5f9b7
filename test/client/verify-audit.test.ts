/** The offline verifier: an export of the real service is valid, and no tampered one is. */
import { createHash, generateKeyPairSync } from 'node:crypto'
import canonicalize from 'canonicalize'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type AuditReport, type VerifyAuditOptions, verifyAuditExport } from '../../client/src/index.ts'
import { exportTrail } from '../../shared/trail/export.ts'
import { formats } from '../../shared/trail/export-formats.ts'
import { publicKeys } from '../../shared/trail/public-keys.ts'
import type { TestOrg } from '../support/orgs.ts'
import { exportPages, makeTrail } from '../support/trail.ts'

type Json = null | boolean | number | string | Json[] | { [name: string]: Json }
type JsonObject = { [name: string]: Json }
/** A line of an export, as far as tests change it. */
type Line = Record<'event' | 'block' | 'checkpoint', JsonObject | undefined>

let org: TestOrg
let keys: { keys: Awaited<ReturnType<typeof publicKeys>> }
let whole: string
let lines: Line[]

beforeAll(async () => {
  org = await makeTrail()
  keys = { keys: await publicKeys() }
  whole = (await exportPages(org)).join('')
  lines = whole.trimEnd().split('\n').map(parsed)
})
afterAll(() => {
  vi.useRealTimers()
})

const parsed = (text: string): Line => JSON.parse(text)
const textOf = (of: readonly Line[]): string => of.map((line) => `${JSON.stringify(line)}\n`).join('')
const verify = (of: readonly Line[], options?: VerifyAuditOptions): Promise<AuditReport> =>
  verifyAuditExport(textOf(of), keys, options)
const copyOf = (): Line[] => structuredClone(lines)
const reasonsOf = ({ faults }: AuditReport): string[] => faults.map(({ reason }) => reason)

const indexOf = (kind: keyof Line, number: number): number =>
  lines.findIndex((line) => (line[kind]?.number ?? line[kind]?.block) === number)
const headOf = (number: number) => ({ block: number, hash: String(lines[indexOf('block', number)]?.block?.hash) })

const hashOf = (value: unknown): string =>
  createHash('sha256')
    .update(canonicalize(value) ?? '')
    .digest('hex')

/** Makes all hashes of a tampered export fit, as an attacker without the signing key would. */
function rehash(of: readonly Line[]): void {
  let events: { id: Json; hash: Json }[] = []
  let previous: Json = '0'.repeat(64)
  let number = 0
  for (const { event, block } of of) {
    if (event) {
      const { hash: _hash, sealed: _sealed, ...content } = event
      event.hash = hashOf(content)
      if (event.sealed !== null) event.sealed = number + 1
      events.push({ id: event.id ?? '', hash: event.hash })
    }
    if (!block) continue
    number += 1
    const { hash: _hash, ...content } = Object.assign(block, { number, previous_hash: previous, events })
    block.hash = hashOf(content)
    previous = block.hash
    events = []
  }
}

describe('an export as the service wrote it', () => {
  test('is valid, and the report says how far it is signed', async () => {
    expect(await verifyAuditExport(whole, keys)).toEqual({
      valid: true,
      events: lines.filter(({ event }) => event).length,
      blocks: 4,
      checkpoints: 2,
      first_block: 1,
      last_block: 4,
      signed_through: 3,
      unsigned_blocks: 1,
      unsealed: 1,
      faults: [],
      fault_count: 0,
    })
  })

  test('is valid as lines, as pages, and from an asynchronous source', async () => {
    const expected = await verifyAuditExport(whole, keys)
    const texts = whole.split('\n')
    const source = async function* () {
      yield* texts
    }
    expect(await verifyAuditExport(texts, keys)).toEqual(expected)
    expect(await verifyAuditExport(source(), keys)).toEqual(expected)
    const pages: string[] = []
    for (let after: string | undefined, isFirst = true; isFirst || after; isFirst = false) {
      const { sizeOf, bodyOf } = formats.ndjson
      const page = await exportTrail(org.orgId, { after, now: new Date(), sizeOf, maxBytes: 2000 })
      pages.push(bodyOf(page.lines))
      after = page.next
    }
    expect(pages.length).toBeGreaterThan(3)
    expect(await verifyAuditExport(pages, keys)).toEqual(expected)
  })

  test('holds the heads and checkpoints that were kept elsewhere', async () => {
    const checkpoint = lines[indexOf('checkpoint', 3)]?.checkpoint as VerifyAuditOptions['checkpoint'] & object
    for (const number of [1, 2, 3, 4])
      expect(await verify(lines, { head: headOf(number), checkpoint })).toMatchObject({ valid: true })
    expect(await verify(lines, { head: { hash: headOf(4).hash } })).toMatchObject({ valid: true })
  })

  test('in any range is valid, and misses no event that is removed', async () => {
    const times = lines.flatMap(({ event }) => (event ? [Date.parse(String(event.timestamp))] : []))
    const time = fc.constantFrom(undefined, ...times.flatMap((ms) => [ms, ms + 1]))
    await fc.assert(
      fc.asyncProperty(time, time, fc.nat(), async (start, end, pick) => {
        fc.pre(start === undefined || end === undefined || start < end)
        const range = {
          ...(start ? { from: new Date(start).toISOString() } : {}),
          ...(end ? { to: new Date(end).toISOString() } : {}),
        }
        const text = (await exportPages(org, range)).join('')
        const report = await verifyAuditExport(text, keys, range)
        expect(report.faults).toEqual([])
        const exported = text.split('\n').filter((line) => line !== '')
        const sealed = exported.flatMap((line, index) => (parsed(line).event?.sealed ? [index] : []))
        if (sealed.length === 0) return
        exported.splice(sealed[pick % sealed.length] ?? 0, 1)
        expect(reasonsOf(await verifyAuditExport(exported, keys, range))).toEqual(['missing'])
      }),
      { numRuns: 40 },
    )
  })
})

/** The paths of all values within a value. */
const pathsOf = (value: Json, path: string[] = []): string[][] =>
  typeof value !== 'object' || value === null
    ? [path]
    : [path, ...Object.entries(value).flatMap(([name, member]) => pathsOf(member, [...path, name]))]

function containerOf(line: Line, path: readonly string[]): JsonObject {
  return path.slice(0, -1).reduce((value, name) => value[name] as JsonObject, line as unknown as JsonObject)
}

const other = (value: Json | undefined): Json => {
  if (typeof value === 'string') return value === '' ? 'x' : value.slice(0, -1) + (value.endsWith('a') ? 'b' : 'a')
  if (typeof value === 'number') return value + 1
  if (typeof value === 'boolean') return !value
  return value === null ? 1 : null
}

describe('a tampered export is found:', () => {
  /** Every value of every line. The signature does not cover the id of a checkpoint. */
  const places = () =>
    lines.flatMap((line, index) =>
      pathsOf(line as unknown as Json)
        .filter((path) => path.length > 0 && path.join('.') !== 'checkpoint.id')
        .map((path) => ({ index, path })),
    )
  const changes: Record<string, (object: JsonObject, name: string) => void> = {
    'a changed value': (object, name) => {
      object[name] = other(object[name])
    },
    'a removed value': (object, name) => {
      if (Array.isArray(object)) object.splice(Number(name), 1)
      else delete object[name]
    },
    'an added value': (object, name) => {
      object[`${name}_`] = 1
    },
  }

  test.each(Object.keys(changes))('%s, wherever it is', async (kind) => {
    const missed: unknown[] = []
    for (const place of places()) {
      const tampered = copyOf()
      const object = containerOf(tampered[place.index] as Line, place.path)
      if (kind === 'an added value' && Array.isArray(object)) continue
      changes[kind]?.(object, place.path.at(-1) ?? '')
      if ((await verify(tampered)).valid) missed.push(place)
    }
    expect(places().length).toBeGreaterThan(200)
    expect(missed).toEqual([])
  })

  test('a removed line, but for those that nothing later vouches for', async () => {
    const missed: unknown[] = []
    for (const [index, line] of lines.entries()) {
      const report = await verify(copyOf().toSpliced(index, 1))
      if (!report.valid) continue
      missed.push(line.event ? `event in ${line.event.sealed}` : `checkpoint of ${line.checkpoint?.block}`)
      expect(report).not.toEqual(await verify(lines))
    }
    expect(missed).toEqual(['checkpoint of 1', 'checkpoint of 3', 'event in null'])
  })

  test('all checkpoints removed', async () => {
    expect(reasonsOf(await verify(lines.filter(({ checkpoint }) => !checkpoint)))).toEqual(['unsigned'])
  })

  test('a line that stands twice, anywhere', async () => {
    for (const [index, line] of lines.entries()) {
      for (let at = index; at <= lines.length; at++) {
        expect(await verify(copyOf().toSpliced(at, 0, line)), `${index} at ${at}`).toMatchObject({ valid: false })
      }
    }
  })

  test('lines in any other order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray([...lines.keys()], { minLength: lines.length }), async (order) => {
        fc.pre(order.some((from, to) => from !== to))
        expect(await verify(order.map((index) => lines[index] as Line))).toMatchObject({ valid: false })
      }),
    )
    for (let at = 1; at < lines.length; at++) {
      const [a, b] = [lines[at - 1] as Line, lines[at] as Line]
      expect(await verify(lines.toSpliced(at - 1, 2, b, a)), `line ${at}`).toMatchObject({ valid: false })
    }
  })

  test('an end that is cut off, up to the head that was kept', async () => {
    const end = indexOf('block', 4)
    for (let length = 0; length <= end; length++) {
      const report = await verify(lines.slice(0, length), { head: headOf(4) })
      expect(reasonsOf(report), `${length} lines`).toContain('cut_off')
    }
    // Nothing but a head or a checkpoint that was kept can find this one.
    expect(await verify(lines.slice(0, indexOf('checkpoint', 3) + 1))).toMatchObject({ valid: true, last_block: 3 })
    const checkpoint = lines[indexOf('checkpoint', 3)]?.checkpoint as VerifyAuditOptions['checkpoint'] & object
    const short = lines.slice(0, indexOf('block', 2) + 1)
    expect(await verify(short)).toMatchObject({ valid: true, signed_through: 1 })
    expect(reasonsOf(await verify(short, { checkpoint }))).toEqual(['cut_off'])
  })

  test('an end that is cut off before a checkpoint in the export', async () => {
    const cut = lines.filter((_, index) => index <= indexOf('block', 2) || index === indexOf('checkpoint', 3))
    expect(reasonsOf(await verify(cut))).toEqual(['cut_off'])
  })

  test('a start that is cut off, unless a checkpoint vouches for the rest', async () => {
    const rest = lines.slice(indexOf('checkpoint', 3) + 1)
    expect(reasonsOf(await verify(rest))).toEqual(['missing'])
    expect(await verify(rest, { head: headOf(3) })).toMatchObject({ valid: true, first_block: 4, signed_through: null })
    const vouched = lines.slice(indexOf('checkpoint', 1) + 1)
    expect(await verify(vouched)).toMatchObject({ valid: true, first_block: 2 })
    expect(await verify(vouched, { head: headOf(1) })).toMatchObject({ valid: true })
    expect(reasonsOf(await verify(lines.slice(indexOf('block', 2) + 1), { head: headOf(1) }))).toEqual(['missing'])
  })

  test('signed events that are changed, removed or added, with all hashes made to fit', async () => {
    const last = indexOf('block', 3)
    const eventLines = lines.flatMap(({ event }, index) => (event && index < last ? [index] : []))
    const field = fc.constantFrom('action', 'request_id', 'timestamp', 'id', 'ip')
    const text = fc.string({ minLength: 1 })
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('change', 'remove', 'add'),
        fc.constantFrom(...eventLines),
        ...([field, text] as const),
        async (kind, index, name, value) => {
          const tampered = copyOf()
          const event = tampered[index]?.event as JsonObject
          fc.pre(event[name] !== value)
          if (kind === 'remove') tampered.splice(index, 1)
          else if (kind === 'change') event[name] = value
          else tampered.splice(index + 1, 0, { event: { ...event, id: `${event.id}0` } } as unknown as Line)
          rehash(tampered)
          const report = await verify(tampered)
          expect(report.valid).toBe(false)
        },
      ),
    )
  })

  test('changes after the newest checkpoint, with hashes made to fit, only by a head that was kept', async () => {
    const tampered = copyOf()
    const event = tampered[indexOf('block', 4) - 1]?.event as JsonObject
    event.request_id = 'forged'
    rehash(tampered)
    expect(await verify(tampered)).toMatchObject({ valid: true, signed_through: 3, unsigned_blocks: 1 })
    expect(reasonsOf(await verify(tampered, { head: headOf(4) }))).toEqual(['changed'])
  })

  test('a chain that is signed with another key', async () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const jwk = publicKey.export({ format: 'jwk' }) as object
    const kid = keys.keys[0]?.kid ?? ''
    const under = async (key: object) => reasonsOf(await verifyAuditExport(whole, { keys: [{ ...jwk, ...key }] }))
    expect(await under({ kid: 'other' })).toEqual(['unknown_key', 'unknown_key', 'unsigned'])
    expect(await under({ kid })).toEqual(['bad_signature', 'bad_signature', 'unsigned'])
  })

  test('a checkpoint of the same key that signs another trail', async () => {
    const otherOrg = await makeTrail()
    const foreign = (await exportPages(otherOrg)).join('').trimEnd().split('\n').map(parsed)
    const theirs = foreign.find(({ checkpoint }) => checkpoint?.block === 3) as Line
    const tampered = lines.slice(0, -1).toSpliced(indexOf('checkpoint', 3), 1, theirs)
    expect(reasonsOf(await verify(tampered))).toEqual(['misplaced', 'changed'])
  })

  test('an event that is in no block for more than 5 minutes', async () => {
    const forged = { ...lines[0]?.event, id: 'aud_0', sealed: null } as JsonObject
    const tampered = [...copyOf().slice(0, -1), { event: forged } as unknown as Line]
    rehash(tampered)
    expect(reasonsOf(await verify(tampered))).toEqual(['unsealed'])
  })
})

describe('a line that is not one of an export is found:', () => {
  test.each([
    ['no JSON', '{"event":'],
    ['another object', '{"page":1}'],
    ['no object', '[1]'],
    ['null', '{"event":null}'],
    ['two kinds', '{"event":{},"block":{}}'],
    [
      'too deep a nesting',
      `{"event":{"id":"a","timestamp":"2026-01-01","hash":"","sealed":null,"x":${'['.repeat(1e5)}${']'.repeat(1e5)}}}`,
    ],
  ])('%s', async (_title, text) => {
    const report = await verifyAuditExport([whole, text], keys)
    expect(report.faults).toMatchObject([{ reason: 'malformed', line: lines.length + 1 }])
  })

  test('a name that stands twice, of which other readers show the first', async () => {
    const text = JSON.stringify(lines[0])
    const twice = text.replace('"action":', '"action":"forged","action":')
    expect(JSON.parse(twice)).toEqual(lines[0])
    expect((await verifyAuditExport(whole.replace(text, twice), keys)).faults).toMatchObject([
      { reason: 'malformed', line: 1 },
      { reason: 'missing' },
    ])
  })

  test('while other whitespace is no fault', async () => {
    const spaced = lines.map((line) => JSON.stringify(line).replaceAll('","', '" ,\t"')).join('\r\n')
    expect(await verifyAuditExport(spaced, keys)).toMatchObject({ valid: true })
  })

  test('on every line, with a bounded list', async () => {
    const report = await verifyAuditExport('x\n'.repeat(1500), keys)
    expect([report.faults.length, report.fault_count]).toEqual([1000, 1500])
  })
})

test.each([
  [{}],
  [{ keys: [] }],
  [{ keys: [{ kid: 'a' }] }],
  [{ keys: [{ kid: 'a', kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' }] }],
])('keys that are not a JWK set are refused: %j', async (set) => {
  await expect(verifyAuditExport(whole, set as unknown as typeof keys)).rejects.toThrow(TypeError)
})
