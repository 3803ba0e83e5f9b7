/** Every parser reads the host that the guard has judged. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { normalizedUrl, writtenUrlFault } from '../../../shared/outbound/written-url.ts'

/** The regular expression of RFC 3986, appendix B, and the authority of section 3.2. */
function hostByRfc3986(text: string): string | undefined {
  const authority = /^(?:[^:/?#]+):\/\/([^/?#]*)/.exec(text)?.[1]
  return authority
    ?.replace(/^[^@]*@/, '')
    .replace(/:\d*$/, '')
    .toLowerCase()
}

const payloads = [
  'https://hooks.slack.com\\@evil.example/x',
  'https://idp.example\\@169.254.169.254/',
  'https:host/x',
  'https:/x',
  'https:///x',
  'https:\\\\host/x',
  'https://@host/x',
  'https://user@host/x',
  'https://host%2eexample/x',
  'https://ex%61mple.com/x',
  'https://0x08080808/x',
  'https://134744072/x',
  'https://010.8.8.8/x',
  'https://example。com/x',
  'https://exa\u00admple.com/x',
  'https://ⓔxample.com/x',
  'ht\ntps://example.com/',
  'https://example.com\t/x',
]

test.each(payloads)('%j is refused: parsers disagree about its host', (text) => {
  expect(writtenUrlFault(text, { schemes: ['https', 'http'] })).toBeDefined()
})

test('RFC 3986 and WHATWG read the same host in every accepted URL, as written and as stored', () => {
  const piece = fc.constantFrom(
    ...'\\@:/?#%.[]0xa1é ',
    'https://',
    'example.com',
    '8.8.8.8',
    '%2e',
    '2606:4700::1',
    '。',
  )
  const text = fc.oneof(
    fc.array(piece, { maxLength: 9 }).map((pieces) => `https://${pieces.join('')}`),
    fc.array(piece, { maxLength: 9 }).map((pieces) => pieces.join('')),
    fc.webUrl({ withQueryParameters: true }),
    fc.constantFrom(...payloads),
  )
  fc.assert(
    fc.property(text, (url) => {
      if (writtenUrlFault(url, { schemes: ['https', 'http'] })) return
      const stored = normalizedUrl(url)
      const { hostname } = new URL(stored)
      expect(hostByRfc3986(stored), stored).toBe(hostname)
      // A name in other letters is stored in ASCII; what it is written as is that name.
      expect(new URL(`https://${hostByRfc3986(url)}/`).hostname, url).toBe(hostname)
      expect(normalizedUrl(stored)).toBe(stored)
    }),
    { numRuns: 20_000 },
  )
})

test('a URL without a path stays without one, and any other is stored as parsers print it', () => {
  expect(normalizedUrl('https://Issuer.Example.com')).toBe('https://issuer.example.com')
  expect(normalizedUrl('https://issuer.example.com:443/a/../b')).toBe('https://issuer.example.com/b')
})
