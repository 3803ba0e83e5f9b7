import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isAllowedAddress } from '../../../shared/outbound/address.ts'

/** The special-purpose registries of IANA, v4 and v6, with an address from each end of each range. */
const special: [string, string[]][] = [
  ['this network 0.0.0.0/8', ['0.0.0.0', '0.255.255.255']],
  ['private 10.0.0.0/8', ['10.0.0.0', '10.255.255.255']],
  ['shared 100.64.0.0/10', ['100.64.0.0', '100.127.255.255']],
  ['loopback 127.0.0.0/8', ['127.0.0.0', '127.0.0.1', '127.255.255.255']],
  ['link-local 169.254.0.0/16', ['169.254.0.0', '169.254.169.254', '169.254.170.2', '169.254.255.255']],
  ['private 172.16.0.0/12', ['172.16.0.0', '172.31.255.255']],
  ['protocol assignments 192.0.0.0/24', ['192.0.0.0', '192.0.0.192', '192.0.0.255']],
  ['documentation 192.0.2.0/24', ['192.0.2.0', '192.0.2.255']],
  ['6to4 relays 192.88.99.0/24', ['192.88.99.0', '192.88.99.255']],
  ['private 192.168.0.0/16', ['192.168.0.0', '192.168.255.255']],
  ['benchmarking 198.18.0.0/15', ['198.18.0.0', '198.19.255.255']],
  ['documentation 198.51.100.0/24', ['198.51.100.0', '198.51.100.255']],
  ['documentation 203.0.113.0/24', ['203.0.113.0', '203.0.113.255']],
  ['multicast 224.0.0.0/4', ['224.0.0.0', '239.255.255.255']],
  ['reserved 240.0.0.0/4', ['240.0.0.0', '255.255.255.254']],
  ['broadcast', ['255.255.255.255']],
  ['unspecified ::', ['::', '0:0:0:0:0:0:0:0']],
  ['loopback ::1', ['::1', '0:0:0:0:0:0:0:1']],
  ['IPv4-compatible ::/96', ['::127.0.0.1', '::7f00:1', '::10.0.0.1', '::a9fe:a9fe', '::2']],
  [
    'mapped private ::ffff:0:0/96',
    ['::ffff:127.0.0.1', '::ffff:a9fe:a9fe', '::FFFF:10.0.0.1', '0:0:0:0:0:ffff:c0a8:1'],
  ],
  ['translated ::ffff:0:0:0/96', ['::ffff:0:7f00:1', '::ffff:0:808:808']],
  ['NAT64 64:ff9b::/96', ['64:ff9b::7f00:1', '64:ff9b::169.254.169.254', '64:ff9b::808:808']],
  ['local NAT64 64:ff9b:1::/48', ['64:ff9b:1::', '64:ff9b:1:ffff:ffff:ffff:ffff:ffff']],
  ['discard 100::/64', ['100::', '100::ffff:ffff:ffff:ffff']],
  ['dummy 100:0:0:1::/64', ['100:0:0:1::1']],
  ['Teredo 2001::/32', ['2001::', '2001:0:7f00:1::', '2001:0:ffff:ffff:ffff:ffff:ffff:ffff']],
  ['benchmarking 2001:2::/48', ['2001:2::', '2001:2:0:ffff:ffff:ffff:ffff:ffff']],
  ['ORCHID 2001:10::/28', ['2001:10::', '2001:1f:ffff:ffff:ffff:ffff:ffff:ffff']],
  ['ORCHIDv2 2001:20::/28', ['2001:20::', '2001:2f:ffff:ffff:ffff:ffff:ffff:ffff']],
  ['documentation 2001:db8::/32', ['2001:db8::', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff']],
  ['6to4 2002::/16', ['2002::', '2002:7f00:1::', '2002:a9fe:a9fe::1', '2002:808:808::1']],
  ['documentation 3fff::/20', ['3fff::', '3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff']],
  ['segment routing 5f00::/16', ['5f00::1']],
  ['unique local fc00::/7', ['fc00::', 'fd00:ec2::254', 'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff']],
  ['link-local fe80::/10', ['fe80::1', 'febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff']],
  ['site-local fec0::/10', ['fec0::1', 'feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff']],
  ['multicast ff00::/8', ['ff00::', 'ff02::1', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff']],
  ['what nobody is given, outside of 2000::/3', ['4000::1', '8000::1', '1000::1', 'e000::1', '400::1']],
]

const publicAddresses = [
  ...['1.1.1.1', '8.8.8.8', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '126.255.255.255'],
  ...['128.0.0.0', '169.253.255.255', '169.255.0.0', '172.15.255.255', '172.32.0.0', '192.0.1.0', '192.167.255.255'],
  ...['192.169.0.0', '198.17.255.255', '198.20.0.0', '223.255.255.255', '52.94.236.248'],
  ...['2606:4700:4700::1111', '2001:4860:4860::8888', '2a00:1450:4001::1', '2600::', '2620:fe::fe'],
  ...['::ffff:8.8.8.8', '::ffff:808:808'],
]

describe('an address that is not public', () => {
  test.each(special)('%s is not allowed', (_range, addresses) => {
    for (const address of addresses) expect(isAllowedAddress(address, []), address).toBe(false)
  })

  test('is allowed only by a range that a stage names', () => {
    expect(isAllowedAddress('10.1.2.3', ['10.1.0.0/16'])).toBe(true)
    expect(isAllowedAddress('10.2.2.3', ['10.1.0.0/16'])).toBe(false)
    expect(isAllowedAddress('10.1.2.3', ['192.168.0.0/16', '10.1.2.3/32'])).toBe(true)
    expect(isAllowedAddress('127.0.0.1', ['10.0.0.0/8'])).toBe(false)
    expect(isAllowedAddress('fd00:1::5', ['fd00:1::/64'])).toBe(true)
    expect(isAllowedAddress('fd00:2::5', ['fd00:1::/64'])).toBe(false)
    expect(isAllowedAddress('::1', ['127.0.0.0/8'])).toBe(false)
    expect(isAllowedAddress('127.0.0.1', ['::1/128'])).toBe(false)
  })

  test('is allowed in its mapped form where the range of its own form is named: the packets go to the same place', () => {
    expect(isAllowedAddress('::ffff:10.1.2.3', ['10.1.0.0/16'])).toBe(true)
    expect(isAllowedAddress('::ffff:127.0.0.1', ['10.1.0.0/16'])).toBe(false)
  })

  test('is not let through by a range that only covers forms of it', () => {
    expect(isAllowedAddress('10.1.2.3', ['::ffff:0:0/96'])).toBe(false)
    expect(isAllowedAddress('64:ff9b::7f00:1', ['127.0.0.0/8'])).toBe(false)
  })
})

describe('a public address', () => {
  test.each(publicAddresses)('%s is allowed, whatever ranges a stage names', (address) => {
    expect(isAllowedAddress(address, [])).toBe(true)
    expect(isAllowedAddress(address, ['10.0.0.0/8', 'fd00::/8'])).toBe(true)
  })
})

describe('text that is no address', () => {
  test.each([
    '',
    'example.com',
    'localhost',
    '256.1.1.1',
    '1.2.3.4.5',
    '8.8.8.8/32',
    '[::1]',
    '::g',
    '8.8.8.8 ',
    '1:2:3',
  ])('%j is not allowed', (text) => {
    expect(isAllowedAddress(text, [])).toBe(false)
  })

  test('never throws, and allows nothing that is none', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 30 }).filter((text) => !/[0-9:]/.test(text)),
        (text) => {
          expect(isAllowedAddress(text, [])).toBe(false)
        },
      ),
    )
  })
})

describe('mapping', () => {
  test('changes no verdict: an IPv4 address and the same mapped into IPv6 are both allowed or both not', () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        expect(isAllowedAddress(`::ffff:${address}`, [])).toBe(isAllowedAddress(address, []))
      }),
    )
  })
})
