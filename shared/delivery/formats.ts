/** The request of each type of integration. Mail has no request of its own: see `emailOf`. */
import type { IntegrationType } from '../integrations/types.ts'
import { datadogRequest } from './datadog.ts'
import type { RenderedEvent } from './event.ts'
import { opsgenieRequest } from './opsgenie.ts'
import { otlpRequest } from './otlp.ts'
import { pagerDutyRequest } from './pagerduty.ts'
import type { DeliveryOptions, DeliveryRequest, Format, OpenedConfig } from './request.ts'
import { siemRequest } from './siem.ts'
import { slackRequest } from './slack.ts'
import { teamsRequest } from './teams.ts'
import { webhookRequest } from './webhook.ts'

export type RequestType = Exclude<IntegrationType, 'email'>

const formats: Readonly<Record<RequestType, Format>> = {
  slack: slackRequest,
  microsoft_teams: teamsRequest,
  pagerduty: pagerDutyRequest,
  opsgenie: opsgenieRequest,
  webhook: webhookRequest,
  datadog: datadogRequest,
  opentelemetry: otlpRequest,
  siem: siemRequest,
}

/** The request that delivers an event to a complete integration. Only signatures depend on the attempt. */
export const requestOf = (
  type: RequestType,
  config: OpenedConfig,
  rendered: RenderedEvent,
  options: DeliveryOptions,
): DeliveryRequest => formats[type](config, rendered, options)
