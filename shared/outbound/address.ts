/**
 * The IP addresses that this service may call: public ones, and ranges that a stage allows. The refused ranges are the
 * non-global ones of IANA's special-purpose registries (IPv4 and IPv6), and multicast.
 */
import { BlockList, isIP, SocketAddress } from 'node:net'
import { lazy } from '../lazy.ts'

const specialRanges = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.0.2.0/24', '192.31.196.0/24', '192.52.193.0/24', '192.88.99.0/24', '192.168.0.0/16', '192.175.48.0/24'],
  ...['198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
  // Within 2000::/3: protocol assignments with Teredo and ORCHID, documentation, 6to4, AS112.
  ...['2001::/23', '2001:db8::/32', '2002::/16', '2620:4f:8000::/48', '3fff::/20'],
]
/** The only publicly routed part of IPv6. The rest is special or unassigned. */
const publicIpv6 = ['2000::/3']

/** Whether an address is public or within `allowedCidrs` (CIDR notation). */
export function isAllowedAddress(text: string, allowedCidrs: readonly string[]): boolean {
  if (isIP(text) === 0) return false
  // Judge an IPv4-mapped IPv6 address as IPv4, since its packets go to the IPv4 address.
  const address = unmapped(text)
  const family = familyOf(address)
  // The same family only: a BlockList counts IPv4 addresses as part of ::/0.
  const allowed = listOf(allowedCidrs.filter((cidr) => familyOf(cidr.split('/')[0] ?? '') === family))
  return isPublic(address) || allowed.check(address, family)
}

const special = lazy(() => listOf(specialRanges))
const routed = lazy(() => listOf(publicIpv6))

function isPublic(address: string): boolean {
  const family = familyOf(address)
  if (special().check(address, family)) return false
  return family === 'ipv4' || routed().check(address, family)
}

function listOf(cidrs: readonly string[]): BlockList {
  const list = new BlockList()
  for (const cidr of cidrs) {
    const [network = '', prefix] = cidr.split('/')
    list.addSubnet(network, Number(prefix), familyOf(network))
  }
  return list
}

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 6 ? 'ipv6' : 'ipv4')

/** The canonical form of a mapped address always ends in the dotted IPv4 address. */
const unmapped = (address: string): string =>
  new SocketAddress({ address, family: familyOf(address) }).address.replace(/^::ffff:(?=\d+\.)/, '')
