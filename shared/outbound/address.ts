/** Which addresses of the Internet this service may be pointed at: public ones, and ranges that a stage names. */
import ipaddr from 'ipaddr.js'

/** An address as text, and ranges in CIDR notation that are allowed although they are not public. */
export function isAllowedAddress(text: string, allowedCidrs: readonly string[]): boolean {
  if (!ipaddr.isValid(text)) return false
  // `process` unwraps IPv4 addresses that are mapped into IPv6: what counts is where the packets go.
  const address = ipaddr.process(text)
  return isPublic(address) || allowedCidrs.some((cidr) => contains(cidr, address))
}

/** IPv6 that is routed at all is in 2000::/3; the library calls everything unicast that it has no other name for. */
const globalUnicast = ipaddr.parseCIDR('2000::/3')

const isPublic = (address: ipaddr.IPv4 | ipaddr.IPv6): boolean =>
  address.range() === 'unicast' && (address.kind() === 'ipv4' || address.match(globalUnicast))

function contains(cidr: string, address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  const [network, prefix] = ipaddr.parseCIDR(cidr)
  return network.kind() === address.kind() && address.match([network, prefix])
}
