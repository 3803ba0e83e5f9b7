/**
 * Replaces `@aws-sdk/middleware-endpoint-discovery` in the bundles (`lib/bundle.ts`). DynamoDB's client discovers endpoints
 * only if a setting asks for it; the cache for them takes 8 KiB.
 */
export const resolveEndpointDiscoveryConfig = <Config>(config: Config): Config => config
export const NODE_ENDPOINT_DISCOVERY_CONFIG_OPTIONS = {
  environmentVariableSelector: () => undefined,
  configFileSelector: () => undefined,
  default: undefined,
}
