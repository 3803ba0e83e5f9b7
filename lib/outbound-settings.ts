/** What a stage says of outbound calls: ranges that are allowed, other roots of providers' APIs, a runtime for everybody. */
import { BlockList, isIP } from 'node:net'
import { type Runtime, runtimes } from '../shared/execution/local-target.ts'
import { writtenUrlFault } from '../shared/outbound/written-url.ts'
import { type ProviderName, providerNames, providersWithoutRoot } from '../shared/providers/providers.ts'
import { environmentNames } from '../shared/runtime/environment.ts'
import { StageSettingsError } from './stage-error.ts'

export interface OutboundSettings {
  /** In CIDR notation, reachable although they are not public: those of a VPC. */
  allowedCidrs: readonly string[]
  /** Where providers' APIs are reached instead of at their own hosts: an egress gateway, a regional endpoint. */
  providerBaseUrls: Readonly<Partial<Record<ProviderName, string>>>
  /** A runtime that every organization falls back to. */
  localRuntime: { url: string; runtime: Runtime } | undefined
}

/** @throws StageSettingsError */
export function readOutboundSettings(text: (name: string) => string | undefined): OutboundSettings {
  const allowedCidrs = listOf(text('allowed_cidrs'))
  for (const cidr of allowedCidrs) requireAllowable(cidr)
  return {
    allowedCidrs,
    providerBaseUrls: readBaseUrls(listOf(text('provider_base_urls')), allowedCidrs),
    localRuntime: readLocalRuntime(text('local_runtime_url'), text('local_runtime'), allowedCidrs),
  }
}

const listOf = (list: string | undefined): string[] => list?.split(',').map((entry) => entry.trim()) ?? []

/** Addresses of clouds' metadata services, which hand out the credentials of whoever asks from inside. */
const metadataAddresses = ['169.254.169.254', '169.254.170.2', 'fd00:ec2::254']

function requireAllowable(cidr: string): void {
  const [network = '', prefix = ''] = cidr.split('/')
  const family = isIP(network)
  const bits = Number(prefix)
  if (family === 0 || !/^\d{1,3}$/.test(prefix) || bits > (family === 4 ? 32 : 128))
    throw new StageSettingsError(`-c allowed_cidrs: ${cidr} is not a range like 10.0.0.0/16`)
  const range = new BlockList()
  range.addSubnet(network, bits, family === 4 ? 'ipv4' : 'ipv6')
  const exposed = metadataAddresses.filter(
    (address) => isIP(address) === family && range.check(address, family === 4 ? 'ipv4' : 'ipv6'),
  )
  if (exposed.length > 0)
    throw new StageSettingsError(
      `-c allowed_cidrs: ${cidr} holds the metadata address ${exposed[0]}; name a smaller range`,
    )
}

function requireUrl(context: string, url: string, allowedCidrs: readonly string[]): void {
  const fault = writtenUrlFault(url, { schemes: ['https', 'http'], allowedCidrs })
  if (fault) throw new StageSettingsError(`-c ${context}: ${url} ${fault}`)
}

function readBaseUrls(entries: readonly string[], allowedCidrs: readonly string[]) {
  const urls: Partial<Record<ProviderName, string>> = {}
  for (const entry of entries) {
    const [, name = '', url = ''] = /^(\w+)=(.+)$/.exec(entry) ?? []
    const provider = providerNames.find((known) => known === name && !providersWithoutRoot.includes(known))
    if (!provider)
      throw new StageSettingsError(
        `-c provider_base_urls: ${entry} is not like openai=https://host/v1, with a provider`,
      )
    requireUrl('provider_base_urls', url, allowedCidrs)
    urls[provider] = url.replace(/\/+$/, '')
  }
  return urls
}

function readLocalRuntime(
  url: string | undefined,
  named: string | undefined,
  allowedCidrs: readonly string[],
): OutboundSettings['localRuntime'] {
  if (url === undefined) {
    if (named !== undefined) throw new StageSettingsError('-c local_runtime is of no use without -c local_runtime_url')
    return undefined
  }
  requireUrl('local_runtime_url', url, allowedCidrs)
  const runtime = named === undefined ? 'openai_compatible' : runtimes.find((known) => known === named)
  if (!runtime) throw new StageSettingsError(`-c local_runtime=${named}: must be one of ${runtimes.join(', ')}`)
  return { url, runtime }
}

/** What functions that know their caller run with: URLs are judged when they are written, too. */
export function outboundEnvironment({ allowedCidrs, providerBaseUrls, localRuntime }: OutboundSettings) {
  const baseUrls = Object.entries(providerBaseUrls).map(([name, url]) => `${name}=${url}`)
  return {
    ...(allowedCidrs.length > 0 ? { [environmentNames.outboundAllowedCidrs]: allowedCidrs.join(',') } : {}),
    ...(baseUrls.length > 0 ? { [environmentNames.providerBaseUrls]: baseUrls.join(',') } : {}),
    ...(localRuntime
      ? {
          [environmentNames.localRuntimeUrl]: localRuntime.url,
          [environmentNames.localRuntime]: localRuntime.runtime,
        }
      : {}),
  }
}
