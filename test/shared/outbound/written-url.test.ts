import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { writtenUrlFault, writtenUrlField } from '../../../shared/outbound/written-url.ts'

type Octets = [number, number, number, number]

const octet = fc.integer({ min: 0, max: 255 })
/** Addresses whose octets are in these ranges; an omitted octet can have any value. */
const within = (...ranges: [number, number][]): fc.Arbitrary<Octets> => {
  const octetAt = (index: number) => {
    const [min, max] = ranges[index] ?? [0, 255]
    return fc.integer({ min, max })
  }
  return fc.tuple(octetAt(0), octetAt(1), octetAt(2), octetAt(3))
}

const notPublic = fc.oneof(
  within([127, 127]),
  within([10, 10]),
  within([172, 172], [16, 31]),
  within([192, 192], [168, 168]),
  within([169, 169], [254, 254]),
  fc.constant<Octets>([169, 254, 169, 254]),
  within([0, 0]),
  within([100, 100], [64, 127]),
  within([224, 255]),
)
const specialFirst = new Set([0, 10, 100, 127, 169, 172, 192, 198, 203])
const isPublic = fc
  .tuple(fc.integer({ min: 1, max: 223 }), octet, octet, octet)
  .filter(([first]) => !specialFirst.has(first))

/** An octet in one of the notations that URL parsers and `inet_aton` read. */
const notations: ((value: number) => string)[] = [
  (value) => String(value),
  (value) => `0${value.toString(8)}`,
  (value) => `000${value.toString(8)}`,
  (value) => `0x${value.toString(16)}`,
  (value) => `0X${value.toString(16).toUpperCase()}`,
]
const notation = fc.constantFrom(...notations)

/** The ways in which one IPv4 address can be written as the host of a URL. */
const written = (octets: fc.Arbitrary<Octets>): fc.Arbitrary<string> =>
  fc
    .tuple(
      octets,
      fc.tuple(notation, notation, notation, notation),
      fc.constantFrom<1 | 2 | 3 | 4 | 'mapped' | 'mapped hex'>(1, 2, 3, 4, 'mapped', 'mapped hex'),
      fc.constantFrom('', '.'),
    )
    .map(([octets, how, parts, dot]) => {
      const [a, b, c, d] = octets
      if (parts === 'mapped') return `[::ffff:${octets.join('.')}]`
      if (parts === 'mapped hex') return `[0:0:0:0:0:FFFF:${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}]`
      // All parts but the last are an octet each; the last has all remaining octets.
      const rest = octets.slice(parts - 1).reduce((sum, value) => sum * 256 + value, 0)
      const numbers = [...octets.slice(0, parts - 1), rest]
      return `${numbers.map((value, index) => how[index]?.(value)).join('.')}${dot}`
    })

describe('a literal address in a URL', () => {
  test('that is not public is refused however it is written: dotted, octal, hex, one number, mixed or mapped', () => {
    fc.assert(
      fc.property(written(notPublic), fc.constantFrom('', ':8443'), (host, port) => {
        expect(writtenUrlFault(`https://${host}${port}/hook`), host).toMatch(/address/)
      }),
      { numRuns: 500 },
    )
  })

  test('that is public is taken in its plain form, and any other spelling names that form', () => {
    fc.assert(
      fc.property(written(isPublic), (host) => {
        const plain = new URL(`https://${host}`).hostname
        expect(writtenUrlFault(`https://${plain}/hook`), plain).toBeUndefined()
        const isPlain = host === plain || host.startsWith('[')
        expect(writtenUrlFault(`https://${host}/hook`), host).toBe(
          isPlain ? undefined : `must name its host as ${plain}`,
        )
      }),
      { numRuns: 300 },
    )
  })

  test('that a stage allows is taken, and its neighbours are not', () => {
    const rules = { schemes: ['http', 'https'], allowedCidrs: ['127.0.0.0/8', '::1/128'] } as const
    const own = ['http://127.0.0.1:11434', 'http://[::1]:8080', 'http://localhost:8000', 'http://a.localhost']
    for (const url of own) expect(writtenUrlFault(url, rules), url).toBeUndefined()
    for (const url of [
      'http://10.0.0.1',
      'http://169.254.169.254/latest/meta-data',
      'http://[fe80::1]',
      'http://0.0.0.0',
    ]) {
      expect(writtenUrlFault(url, rules), url).toMatch(/address/)
    }
  })

  test.each(['localhost', 'LOCALHOST', 'localhost.', 'a.localhost', 'a.localhost.', 'ⓛocalhost'])(
    '%s is refused, which is one in all but form',
    (host) => {
      expect(writtenUrlFault(`https://${host}/hook`)).toMatch(/this machine|address/)
    },
  )

  test.each(['localhost.acme.io', 'mylocalhost', 'notlocalhost.io', '10.0.0.1.acme.io', 'a127.0.0.1.io'])(
    'the name %s is not taken for one',
    (host) => {
      expect(writtenUrlFault(`https://${host}/hook`)).toBeUndefined()
    },
  )
})

describe('the parts around the host', () => {
  test.each([
    ['', /whole URL/],
    ['acme.io', /whole URL/],
    ['/path', /whole URL/],
    ['https://', /whole URL/],
    ['https://a b', /whole URL/],
    ['https://acme.io:65536', /whole URL/],
    ['https://999.1.1.1', /whole URL/],
    ['http://acme.io', /^must start with https:\/\/$/],
    ['ftp://acme.io', /https:\/\//],
    ['file:///etc/passwd', /https:\/\//],
    ['javascript:alert(1)', /https:\/\//],
    ['gopher://acme.io', /https:\/\//],
    ['https://me@acme.io', /user name or password/],
    ['https://me:pw@acme.io', /user name or password/],
    ['https://:pw@acme.io', /user name or password/],
    ['https://acme.io@127.0.0.1/', /user name or password/],
    ['https://acme.io:0', /port 0/],
    ['https://acme.io:22', /port 22/],
    ['https://acme.io:25', /port 25/],
    ['https://acme.io:6667', /port 6667/],
  ])('%j is refused with the rule', (text, rule) => {
    expect(writtenUrlFault(text)).toMatch(rule)
  })

  test.each([
    'https://acme.io',
    'https://acme.io:443',
    'https://acme.io:8443/a?b#c',
    'HTTPS://ACME.IO/',
    'https://bücher.example',
  ])('%s is taken', (text) => {
    expect(writtenUrlFault(text)).toBeUndefined()
  })

  test('every scheme that is allowed is named when none of them is met', () => {
    expect(writtenUrlFault('ws://acme.io', { schemes: ['http', 'https'] })).toBe('must start with http:// or https://')
    expect(writtenUrlFault('http://acme.io', { schemes: ['http', 'https'] })).toBeUndefined()
  })

  test('no text at all makes it throw, and what passes is an https URL without userinfo', () => {
    const part = fc.constantFrom(
      'https:',
      'http:',
      '//',
      '/',
      '\\',
      '@',
      ':',
      'me',
      'acme.io',
      '127.0.0.1',
      '[::1]',
      '#',
      '?',
      ' ',
    )
    const texts = fc.oneof(
      fc.string(),
      fc.array(part, { maxLength: 8 }).map((parts) => `https://${parts.join('')}`),
    )
    let passed = 0
    fc.assert(
      fc.property(texts, (text) => {
        if (writtenUrlFault(text) !== undefined) return
        passed++
        const { protocol, username, password, hostname } = new URL(text)
        expect({ protocol, username, password }).toEqual({ protocol: 'https:', username: '', password: '' })
        expect(['127.0.0.1', '[::1]', '']).not.toContain(hostname)
      }),
      { numRuns: 1000 },
    )
    expect(passed).toBeGreaterThan(10)
  })

  test('a fault never repeats the URL, which may hold a token', () => {
    for (const url of [
      'http://acme.io/kJ8sLw2m',
      'https://me:kJ8sLw2m@acme.io',
      'https://10.0.0.1/kJ8sLw2m',
      'kJ8sLw2m',
    ]) {
      const fault = writtenUrlFault(url)
      expect(fault).toEqual(expect.any(String))
      expect(fault).not.toContain('kJ8sLw2m')
    }
  })
})

describe('a URL field', () => {
  test('is one issue with the rule, and at most 2048 characters long', () => {
    const schema = z.object({ url: writtenUrlField() })
    expect(schema.safeParse({ url: `https://acme.io/${'x'.repeat(2032)}` }).success).toBe(true)
    expect(schema.safeParse({ url: `https://acme.io/${'x'.repeat(2033)}` }).success).toBe(false)
    expect(schema.safeParse({ url: 7 }).success).toBe(false)
    const { error } = schema.safeParse({ url: 'https://10.0.0.1' })
    expect(error?.issues.map(({ path, message }) => [path.join('.'), message])).toEqual([
      ['url', 'must not name a private, local or reserved address'],
    ])
  })
})
