/** Outbound calls of a stage: allowed private ranges, base URLs of provider APIs, the fallback runtime. */
import type { Runtime } from '../shared/execution/local-target.ts'
import { writtenUrlFault } from '../shared/outbound/written-url.ts'
import type { ProviderName } from '../shared/providers/providers.ts'
import { environmentNames } from '../shared/runtime/environment.ts'
import type { OptionName } from './stage-options.ts'
import type { GivenOptions } from './stage-values.ts'

export interface OutboundSettings {
  /** Reachable private ranges in CIDR notation, such as those of a VPC. */
  allowedCidrs: readonly string[]
  /** Base URLs that replace those of providers: an egress gateway or a regional endpoint. */
  providerBaseUrls: Readonly<Partial<Record<ProviderName, string>>>
  /** Base addresses that replace those of vendors in deliveries. */
  integrationBaseUrls: Readonly<Record<string, string>>
  /** The sender of mail to integrations. */
  mailFrom: string | undefined
  /** Fallback runtime of every organization. */
  localRuntime: { url: string; runtime: Runtime } | undefined
}

/** @throws StageSettingsError */
export function readOutboundSettings(given: GivenOptions): OutboundSettings {
  const { allowed_cidrs: allowedCidrs = [], provider_base_urls: baseUrls = {} } = given.values
  const { integration_base_urls: vendorUrls = {}, mail_from: mailFrom } = given.values
  for (const [name, url] of Object.entries(vendorUrls))
    requireUrl(given, 'integration_base_urls', url, allowedCidrs, name)
  for (const [name, url] of Object.entries(baseUrls)) requireUrl(given, 'provider_base_urls', url, allowedCidrs, name)
  return {
    allowedCidrs,
    providerBaseUrls: withoutSlashes(baseUrls),
    integrationBaseUrls: withoutSlashes(vendorUrls),
    mailFrom,
    localRuntime: readLocalRuntime(given, allowedCidrs),
  }
}

const withoutSlashes = (urls: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(urls).map(([name, url]) => [name, url.replace(/\/+$/, '')]))

function requireUrl(
  given: GivenOptions,
  option: OptionName,
  url: string,
  allowedCidrs: readonly string[],
  entry?: string,
): void {
  const fault = writtenUrlFault(url, { schemes: ['https', 'http'], allowedCidrs })
  if (fault) given.refuse(option, `${entry === undefined ? '' : `${entry}: `}${url} ${fault}`)
}

function readLocalRuntime(given: GivenOptions, allowedCidrs: readonly string[]): OutboundSettings['localRuntime'] {
  const { local_runtime_url: url, local_runtime: runtime = 'openai_compatible' } = given.values
  given.requireWith('local_runtime_url', ['local_runtime'])
  if (url === undefined) return undefined
  requireUrl(given, 'local_runtime_url', url, allowedCidrs)
  return { url, runtime }
}

const listed = (urls: Readonly<Record<string, string>>): string[] =>
  Object.entries(urls).map(([name, url]) => `${name}=${url}`)

/** Variables of functions that send to integrations. */
export function deliveryEnvironment({ allowedCidrs, integrationBaseUrls }: OutboundSettings): Record<string, string> {
  const baseUrls = listed(integrationBaseUrls)
  return {
    ...(allowedCidrs.length > 0 ? { [environmentNames.outboundAllowedCidrs]: allowedCidrs.join(',') } : {}),
    ...(baseUrls.length > 0 ? { [environmentNames.integrationBaseUrls]: baseUrls.join(',') } : {}),
  }
}

/** Variables of functions that authenticate callers: they also check URLs on write. */
export function outboundEnvironment({ allowedCidrs, providerBaseUrls, localRuntime }: OutboundSettings) {
  const baseUrls = listed(providerBaseUrls)
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
