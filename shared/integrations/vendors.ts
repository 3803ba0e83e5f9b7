/**
 * Regions and hosts that vendors publish. Each list names its source; checked 2026-11. To update a list, read its
 * source.
 */

/** Types whose address is the vendor's. A stage can replace it. */
export const vendorTypes = ['slack', 'microsoft_teams', 'pagerduty', 'opsgenie', 'datadog'] as const

/** https://docs.datadoghq.com/getting_started/site/ */
export const datadogSites = [
  'datadoghq.com',
  'us3.datadoghq.com',
  'us5.datadoghq.com',
  'datadoghq.eu',
  'uk1.datadoghq.com',
  'ap1.datadoghq.com',
  'ap2.datadoghq.com',
  'ddog-gov.com',
  'us2.ddog-gov.com',
] as const

/** https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks and https://docs.slack.dev/govslack */
export const slackHosts: readonly string[] = ['hooks.slack.com', 'hooks.slack-gov.com']

/**
 * https://learn.microsoft.com/power-automate/ip-address-configuration and
 * https://learn.microsoft.com/azure/azure-government/compare-azure-government-global-azure
 */
export const teamsDomains: readonly string[] = [
  'webhook.office.com',
  'logic.azure.com',
  'powerplatform.com',
  'logic.azure.us',
  'powerplatform.microsoft.us',
]

/** https://support.pagerduty.com/main/docs/service-regions */
export const pagerDutyRegions = ['us', 'eu'] as const

/** https://docs.opsgenie.com/docs/api-overview */
export const opsgenieRegions = ['us', 'eu'] as const
