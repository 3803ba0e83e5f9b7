/** Texts of an event that callers chose ping no channel, make no link and break no format: properties. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { emailOf } from '../../../shared/delivery/email.ts'
import { clipped, plainText, renderEvent } from '../../../shared/delivery/event.ts'
import { event, eventWith, sent } from './sample.ts'

const attacks = [
  ...['<!channel>', '<!here|x>', '<@U0AAAAAAA>', '<https://evil.example|click>', '&lt;!channel&gt;'],
  ...[
    '[click](https://evil.example)',
    '<at>Ana</at>',
    'www.evil.example',
    'evil.example/x',
    '**bold**',
    '\r\nBcc: a@b.c',
  ],
  ...['\u202egpj', '\u2028', '|', '=', '\t', '\\', '"', '\ud800', '\0', ':smile:'],
]
const hostile = fc.array(fc.oneof(fc.constantFrom(...attacks), fc.string({ unit: 'binary', maxLength: 20 })), {
  maxLength: 40,
})
const hostileText = hostile.map((parts) => parts.join(''))

const check = (property: (text: string) => void) => fc.assert(fc.property(hostileText, property), { numRuns: 300 })

test('a text is one line without a link, and well-formed', () => {
  check((text) => {
    const plain = plainText(text)
    expect(plain).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]|:\/\/|\]\(|\bwww\./iu)
    expect(plain.isWellFormed()).toBe(true)
  })
})

test('a clipped text has at most so many characters, and no half of a pair', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 50 }), (text, max) => {
      expect(clipped(text, max).length).toBeLessThanOrEqual(max)
      expect(clipped(text, max).isWellFormed()).toBe(true)
    }),
  )
})

/** All texts in a JSON value. */
const textsIn = (value: unknown): string[] =>
  typeof value === 'string' ? [value] : typeof value === 'object' && value ? Object.values(value).flatMap(textsIn) : []

test('slack sees no control sequence: every < and > is escaped, and every & begins an entity', () => {
  check((text) => {
    for (const shown of textsIn(sent('slack', { of: eventWith(text) }).json()))
      expect(shown).not.toMatch(/[<>]|&(?!amp;|lt;|gt;)/)
  })
})

test('teams sees no mention and no Markdown link', () => {
  check((text) => {
    const { attachments } = sent('microsoft_teams', { of: eventWith(text) }).json()
    for (const shown of textsIn(attachments[0].content.body)) expect(shown).not.toMatch(/<\/?at\b|\]\(|:\/\//i)
  })
})

test('opsgenie sees no tag', () => {
  check((text) => {
    const { message, description, entity } = sent('opsgenie', { of: eventWith(text) }).json()
    for (const shown of [message, description, entity]) expect(shown).not.toMatch(/[<>]/)
  })
})

test('a mail has its subject in one line, and no link', () => {
  check((text) => {
    const { Simple } = emailOf({ recipients: ['a@b.io'] }, renderEvent(eventWith(text)), 'x@y.io').Content
    expect(Simple.Subject.Data).not.toMatch(/\p{Cc}/u)
    expect(Simple.Body.Text.Data).not.toMatch(/:\/\/|\r/)
  })
})

test('no name and no value of an event is a host that a mail program links', () => {
  check((text) => {
    const { resource, changes, ...rest } = eventWith(text)
    const of = { ...rest, actor: event.actor, resource, changes: changes.map((each) => ({ ...each, field: 'name' })) }
    const { Subject, Body } = emailOf({ recipients: ['a@b.io'] }, renderEvent(of), 'x@y.io').Content.Simple
    expect(`${Subject.Data} ${Body.Text.Data}`).not.toMatch(/evil\.example/)
  })
})

test('a CEF line is one line with the same keys for every text', () => {
  const keysOf = (text: string) =>
    [...sent('siem', { config: { format: 'cef' }, of: eventWith(text) }).text.matchAll(/(?<=[| ])(\w+)(?<!\\)=/g)].map(
      ([, key]) => key,
    )
  const usual = keysOf('x')
  expect(usual.length).toBeGreaterThan(10)
  check((text) => {
    expect(sent('siem', { config: { format: 'cef' }, of: eventWith(text) }).text).not.toMatch(/[\r\n]/)
    expect(keysOf(text)).toEqual(usual)
  })
})

test('a LEEF line has the same number of attributes for every text', () => {
  check((text) => {
    const line = sent('siem', { config: { format: 'leef' }, of: eventWith(text) }).text
    expect(line).not.toMatch(/[\r\n]/)
    expect(line.split('\t')).toHaveLength(10)
  })
})
