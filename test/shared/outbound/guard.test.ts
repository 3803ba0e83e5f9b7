/**
 * The guard as deployed, without ranges that a stage allows. The resolver and the dialer are replaced: they record each
 * target and connect to loopback instead, so that a guard with a hole reaches no other host.
 */
import dns, { type LookupAddress } from 'node:dns'
import { readFileSync } from 'node:fs'
import net, { type LookupFunction } from 'node:net'
import { join } from 'node:path'
import tls, { type ConnectionOptions } from 'node:tls'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { call, OutboundError, post } from '../../../shared/outbound/call.ts'
import { postGrpc } from '../../../shared/outbound/call-grpc.ts'
import { openAiModels, startProvider, type TestProvider } from '../../support/provider.ts'

const pem = (name: string) => readFileSync(join(import.meta.dirname, `provider-test.${name}.pem`), 'utf8')
const certificate = { key: pem('key'), cert: pem('cert') }

let plain: TestProvider
let secure: TestProvider
beforeAll(async () => {
  plain = await startProvider(openAiModels)
  secure = await startProvider(openAiModels, certificate)
})
afterAll(() => {
  plain.close()
  secure.close()
})

/** Targets of all connections: literal hosts, and the results of their look-ups. */
let dialed: string[]
/** The options of each dial, as the guard gave them. */
let dials: object[]
let lookups: string[]

/** Has names lead to these addresses, each look-up taking the next answer, the last one for good. */
function resolveTo(...answers: string[][]): void {
  vi.spyOn(dns, 'lookup').mockImplementation(((
    hostname: string,
    _options: object,
    callback: (error: null, addresses: LookupAddress[]) => void,
  ) => {
    const addresses = answers[Math.min(lookups.length, answers.length - 1)] ?? []
    lookups.push(hostname)
    setImmediate(() =>
      callback(
        null,
        addresses.map((address) => ({ address, family: net.isIP(address) })),
      ),
    )
    // The guard uses one of the overloads.
  }) as unknown as typeof dns.lookup)
}

/** The socket’s own look-up, its outcome written down and then replaced by loopback. */
const toLoopback =
  (lookup: LookupFunction): LookupFunction =>
  (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, [])
      dialed.push(...(addresses as LookupAddress[]).map(({ address }) => address))
      callback(null, [{ address: '127.0.0.1', family: 4 }])
    })
  }

function diverted<Options extends { host?: string | undefined; lookup?: LookupFunction | undefined }>(
  options: Options,
  { url }: TestProvider,
): Options {
  dials.push(options)
  const { host = 'localhost', lookup } = options
  const port = Number(new URL(url).port)
  if (net.isIP(host)) dialed.push(host)
  // Without the guard’s look-up, the system's answer would be dialed.
  if (net.isIP(host) || !lookup) return { ...options, host: '127.0.0.1', port }
  return { ...options, port, lookup: toLoopback(lookup) }
}

const realConnect = net.connect
const realTlsConnect = tls.connect

beforeEach(() => {
  vi.stubEnv('OUTBOUND_ALLOWED_CIDRS', undefined)
  dialed = []
  dials = []
  lookups = []
  plain.requests.length = 0
  secure.requests.length = 0
  vi.spyOn(net, 'connect').mockImplementation(((options: net.TcpNetConnectOpts) =>
    realConnect(diverted(options, plain))) as typeof net.connect)
  vi.spyOn(tls, 'connect').mockImplementation(((options: ConnectionOptions) =>
    realTlsConnect({ ...diverted(options, secure), ca: certificate.cert })) as typeof tls.connect)
  resolveTo(['93.184.215.14'])
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
})

const headers = { authorization: 'Bearer sk-never-sent' }
/** Every way out. */
const ways: readonly ((url: string) => Promise<unknown>)[] = [
  (url) => call(url, headers),
  (url) => post(url, headers, 'a body'),
  (url) => postGrpc(url, headers, Buffer.from('a body')),
]

/** Asserts that each call was refused before anything was sent, and that the words name no address but one in the URL. */
async function expectBlocked(url: string, message = /not allowed: it must|resolves to a private, local or reserved/) {
  for (const way of ways) await expectBlockedBy(way, url, message)
}

async function expectBlockedBy(way: (url: string) => Promise<unknown>, url: string, message: RegExp) {
  const error = await way(url).then(
    () => expect.unreachable(`${url} was called`),
    (thrown: unknown) => thrown,
  )
  expect(error, url).toBeInstanceOf(OutboundError)
  expect((error as OutboundError).fault, url).toBe('blocked')
  expect((error as OutboundError).message, url).toMatch(message)
  expect(dialed, url).toEqual([])
  expect([...plain.requests, ...secure.requests], url).toEqual([])
}

const privateAddresses = [
  ...['127.0.0.1', '127.255.255.254', '0.0.0.0', '10.0.0.1', '10.255.255.255', '172.16.0.1', '172.31.255.255'],
  ...['192.168.0.1', '169.254.169.254', '169.254.170.2', '169.254.169.253', '100.64.0.1', '100.100.100.200'],
  ...['192.0.0.192', '198.18.0.1', '192.0.2.1', '224.0.0.1', '240.0.0.1', '255.255.255.255'],
  ...['::', '::1', '::ffff:127.0.0.1', '::ffff:a9fe:a9fe', '::ffff:10.0.0.1', '::127.0.0.1', '::ffff:0:7f00:1'],
  ...['64:ff9b::7f00:1', '64:ff9b::a9fe:a9fe', '64:ff9b:1::1', '2002:7f00:1::', '2001:0:7f00:1::', '2001:db8::1'],
  ...['fc00::1', 'fd00:ec2::254', 'fe80::1', 'fec0::1', 'ff02::1', '100::1', '5f00::1'],
]
const hostOf = (address: string): string => (net.isIPv6(address) ? `[${address}]` : address)

describe('the safety of this file', () => {
  test('lets a call to a public name reach loopback, which proves that the guard causes the refusals below', async () => {
    expect(await call('http://api.example.com/v1/models', {})).toMatchObject({ status: 200 })
    expect([lookups, dialed, plain.requests.length]).toEqual([['api.example.com'], ['93.184.215.14'], 1])
  })

  test('and a call of a public address', async () => {
    expect(await call('http://93.184.215.14/v1/models', {})).toMatchObject({ status: 200 })
    expect([lookups, dialed, plain.requests.length]).toEqual([[], ['93.184.215.14'], 1])
  })
})

describe('an address that is not public is refused before a byte is sent', () => {
  test.each(privateAddresses)('%s, written', async (address) => {
    await expectBlocked(`http://${hostOf(address)}/v1/models`)
    await expectBlocked(`https://${hostOf(address)}:8443/v1/models`)
  })

  test.each(privateAddresses)('%s, behind a name', async (address) => {
    resolveTo([address])
    await expectBlocked('http://internal.example.com/v1/models', /resolves to a private/)
    await expectBlocked('https://internal.example.com/v1/models', /resolves to a private/)
    expect(lookups.length).toBe(2 * ways.length)
  })

  test.each([
    ['octal', '0177.0.0.1'],
    ['octal with zeros', '0000177.0.0.01'],
    ['hexadecimal', '0x7f.0.0.1'],
    ['hexadecimal, one number', '0x7f000001'],
    ['capital X', '0X7F000001'],
    ['decimal, one number', '2130706433'],
    ['two parts', '127.1'],
    ['three parts', '127.0.1'],
    ['one zero', '0'],
    ['mixed', '0x7f.1'],
    ['metadata, decimal', '2852039166'],
    ['metadata, octal', '0251.0376.0251.0376'],
    ['metadata, hexadecimal', '0xa9fea9fe'],
    ['metadata, mixed', '169.254.43518'],
    ['trailing dot', '127.0.0.1.'],
    ['trailing dot on a number', '2130706433.'],
    ['full-width digits', '１２７.０.０.１'],
    ['circled digits', '①②⑦.⓪.⓪.①'],
    ['full stops of other scripts', '127。0。0。1'],
    ['percent-encoded', '%31%32%37.0.0.1'],
    ['a soft hyphen in it', '127.0.0.1\u00ad'],
    ['localhost', 'localhost'],
    ['localhost, capitals', 'LOCALHOST'],
    ['localhost, trailing dot', 'localhost.'],
    ['a name below localhost', 'api.localhost'],
    ['localhost, full-width', 'ｌｏｃａｌｈｏｓｔ'],
    ['mapped', '[::ffff:127.0.0.1]'],
    ['mapped, hexadecimal', '[::ffff:7f00:1]'],
    ['mapped, written out', '[0:0:0:0:0:ffff:7f00:0001]'],
    ['loopback, written out', '[0000:0000:0000:0000:0000:0000:0000:0001]'],
    ['compatible', '[::7f00:1]'],
  ])('in another form: %s', async (_form, host) => {
    await expectBlocked(`http://${host}/v1/models`)
    await expectBlocked(`https://${host}/v1/models`)
    expect(lookups).toEqual([])
  })

  test.each([
    ['a user name', 'http://user@api.example.com/v1'],
    ['a password', 'http://user:pass@api.example.com/v1'],
    ['a public host as user name', 'http://api.example.com@127.0.0.1/v1'],
    ['an encoded one', 'http://api.example.com%40x@10.0.0.1/'],
    ['a backslash', 'http://127.0.0.1\\@api.example.com/'],
    ['a file', 'file:///etc/passwd'],
    ['FTP', 'ftp://api.example.com/'],
    ['gopher', 'gopher://api.example.com/'],
    ['data', 'data:application/json,{}'],
    ['no scheme', 'api.example.com/v1'],
    ['nothing', ''],
    ['a line break', 'http://api.example.com/\r\nx: y'],
    ['a tab in the host', 'http://127.0.\t0.1/'],
    ['port 22', 'http://api.example.com:22/'],
    ['port 25', 'http://api.example.com:25/'],
    ['port 0', 'http://api.example.com:0/'],
  ])('a URL that is not one to call: %s', async (_what, url) => {
    await expectBlocked(url, /^The URL is not allowed: it must/)
    expect(lookups).toEqual([])
  })

  test('metadata services by name are refused by where they lead', async () => {
    resolveTo(['169.254.169.254'])
    for (const name of [
      'metadata.google.internal',
      'instance-data.ec2.internal',
      'metadata',
      '169-254-169-254.example',
    ]) {
      await expectBlocked(`http://${name}/latest/meta-data/`, /resolves to a private/)
    }
  })

  test('the refusal of a name does not reveal its addresses', async () => {
    resolveTo(['10.20.30.40'])
    const error = await call('http://internal.example.com/', {}).catch((thrown: unknown) => thrown)
    expect((error as Error).message).toBe(
      'The name internal.example.com resolves to a private, local or reserved address.',
    )
  })
})

describe('a name', () => {
  test.each([
    ['the second', ['93.184.215.14', '10.0.0.1']],
    ['the first', ['10.0.0.1', '93.184.215.14']],
    ['of the other family', ['2606:4700:4700::1111', '::1']],
    ['mapped, among many', ['93.184.215.14', '1.1.1.1', '8.8.8.8', '::ffff:192.168.0.1']],
  ])('with several addresses of which one is private (%s) is refused whole', async (_which, addresses) => {
    resolveTo(addresses)
    await expectBlocked('http://mixed.example.com/', /resolves to a private/)
    await expectBlocked('https://mixed.example.com/', /resolves to a private/)
  })

  test('is looked up once: the socket gets exactly the addresses that were judged', async () => {
    const judged = ['93.184.215.14', '1.1.1.1', '2606:4700:4700::1111']
    resolveTo(judged, ['127.0.0.1'])
    expect(await call('http://rebinding.example.com/v1/models', {})).toMatchObject({ status: 200 })
    expect([lookups, dialed]).toEqual([['rebinding.example.com'], judged])
  })

  test('that turns private between two calls is refused from then on: no judgement and no connection is kept', async () => {
    resolveTo(['93.184.215.14'], ['127.0.0.1'])
    expect(await call('http://rebinding.example.com/v1/models', {})).toMatchObject({ status: 200 })
    dialed = []
    plain.requests.length = 0
    await expectBlocked('http://rebinding.example.com/v1/models', /resolves to a private/)
    expect(lookups.length).toBe(1 + ways.length)
  })

  test('without any address is refused with that reason', async () => {
    resolveTo([])
    await expect(call('http://empty.example.com/', {})).rejects.toMatchObject({ fault: 'name' })
    expect(dialed).toEqual([])
  })

  test('goes to the socket as it is, with the guard in its look-up, for HTTPS with its server name', async () => {
    expect(await call('https://provider.test/v1/models', {})).toMatchObject({ status: 200 })
    expect([lookups, dialed, secure.requests.length]).toEqual([['provider.test'], ['93.184.215.14'], 1])
    expect(dials).toMatchObject([{ host: 'provider.test', port: 443, servername: 'provider.test' }])
  })

  test('is the Host header for the server, without a port if the URL has none', async () => {
    await call('https://provider.test/v1/models', {})
    await call('https://provider.test:8443/v1/models', {})
    expect(secure.requests.map(({ headers }) => headers.host)).toEqual(['provider.test', 'provider.test:8443'])
    await call('http://api.example.com/v1/models', {})
    await call('http://api.example.com:8080/v1/models', {})
    expect(plain.requests.map(({ headers }) => headers.host)).toEqual(['api.example.com', 'api.example.com:8080'])
  })

  test('must be that of the certificate', async () => {
    await expect(call('https://other.test/v1/models', {})).rejects.toMatchObject({
      fault: 'tls',
      message: 'No secure connection to other.test: ERR_TLS_CERT_ALTNAME_INVALID.',
    })
    expect(secure.requests).toEqual([])
  })

  test('reaches the server without its trailing dot, and is checked with the dot', async () => {
    expect(await call('https://provider.test./v1/models', {})).toMatchObject({ status: 200 })
    expect(dials).toMatchObject([{ servername: 'provider.test' }])
    resolveTo(['127.0.0.1'])
    lookups.length = 0
    dialed = []
    secure.requests.length = 0
    await expectBlocked('https://provider.test./v1/models', /resolves to a private/)
  })
})

describe('a range that a stage allows', () => {
  test('allows exactly that range, by address and by name', async () => {
    vi.stubEnv('OUTBOUND_ALLOWED_CIDRS', '10.1.0.0/16, fd00:1::/64')
    expect(await call('http://10.1.2.3/v1/models', {})).toMatchObject({ status: 200 })
    resolveTo(['10.1.2.3', 'fd00:1::5'])
    expect(await call('http://inside.example.com/v1/models', {})).toMatchObject({ status: 200 })
    expect(dialed).toEqual(['10.1.2.3', '10.1.2.3', 'fd00:1::5'])
    dialed = []
    plain.requests.length = 0
    for (const host of ['10.2.2.3', '127.0.0.1', 'localhost', '169.254.169.254', '[fd00:2::5]', '[::1]']) {
      await expectBlocked(`http://${host}/v1/models`)
    }
    resolveTo(['10.1.2.3', '10.2.2.3'])
    await expectBlocked('http://inside.example.com/v1/models', /resolves to a private/)
  })
})

test('no proxy of the environment is dialed, and no agent’s sockets are used', async () => {
  for (const name of ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy'])
    vi.stubEnv(name, 'http://10.9.9.9:3128')
  vi.stubEnv('NODE_USE_ENV_PROXY', '1')
  await call('http://api.example.com/v1/models', {})
  await call('https://provider.test/v1/models', {})
  expect(dialed).toEqual(['93.184.215.14', '93.184.215.14'])
})
