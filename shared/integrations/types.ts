/**
 * The types of integrations, each as one spec of its fields. Validation, the allowed fields of a patch, masking, the
 * OpenAPI `oneOf` and the configuration check all derive from it.
 */
import * as z from 'zod'
import { emailField } from '../email.ts'
import { lazy } from '../lazy.ts'
import { allowedCidrs } from '../outbound/rules.ts'
import { normalizedUrl, writtenUrlFault, writtenUrlField } from '../outbound/written-url.ts'
import { isMask, maskMessage } from '../secrets/secret.ts'
import { isSigningSecret, signingSecretMessage } from './signing-secret.ts'
import * as vendors from './vendors.ts'

/**
 * How a field is stored. `plain`: as it is. `secret`: encrypted, shown as its mask. `secret_url`: encrypted, shown as
 * scheme, host and mask. `endpoint`: the same, but shown in full when it cannot contain a token. `secret_map`: plain
 * names, each value encrypted.
 */
type Keeping = 'plain' | 'secret' | 'secret_url' | 'endpoint' | 'secret_map'

export interface FieldSpec {
  keeping: Keeping
  /** The schema of a value in a request. */
  value: () => z.ZodType
  /** Whether the integration needs the field, or works better with it. */
  need?: 'required' | 'recommended'
  description: string
  /** The field is the destination of the integration's secrets. */
  destination?: true
  /** How to get the value, for a person who has not set it. */
  hint: string
}

export interface IntegrationSpec {
  category: 'notification' | 'data'
  fields: Readonly<Record<string, FieldSpec>>
}

/** A secret in a request. The check for a mask comes before any other check. */
const secretText = () => z.string().refine((text) => !isMask(text), { error: maskMessage, abort: true })

/** KMS encrypts at most this much in one call. */
const maxSecretBytes = 4096

const url = (rule: (url: URL) => boolean, message: string) =>
  writtenUrlField({}, secretText())
    .refine((text) => Buffer.byteLength(text) <= maxSecretBytes, `must not be longer than ${maxSecretBytes} bytes`)
    .refine((text) => writtenUrlFault(text) !== undefined || rule(new URL(text)), message)

/**
 * An address that a customer runs. A stage may allow private ranges; an address on this machine, which only a local service
 * allows, may be plain http.
 */
const ownUrl = (schemes: readonly ('https' | 'http')[]) => {
  const ranges = allowedCidrs()
  const isLocal = (text: string): boolean =>
    /^http:\/\/(?:127\.\d+\.\d+\.\d+|localhost|\[::1\])(?=[:/?#]|$)/i.test(text)
  const rulesOf = (text: string) => ({ schemes: isLocal(text) ? (['http'] as const) : schemes, allowedCidrs: ranges })
  return secretText()
    .max(2048)
    .superRefine((text, context) => {
      const fault = writtenUrlFault(text, ranges.length > 0 ? rulesOf(text) : { schemes })
      if (fault) context.addIssue({ code: 'custom', message: fault })
    })
    .overwrite((text) => (writtenUrlFault(text, rulesOf(text)) === undefined ? normalizedUrl(text) : text))
    .refine((text) => Buffer.byteLength(text) <= maxSecretBytes, `must not be longer than ${maxSecretBytes} bytes`)
    .meta({ format: 'uri', pattern: `^(${schemes.join('|')})://[^\\s\\\\]+$` })
}

const isUnder = (host: string, domains: readonly string[]): boolean =>
  domains.some((domain) => host === domain || host.endsWith(`.${domain}`))

/** RFC 9110 field names, except those that the sender sets itself. */
const headerName = lazy(() =>
  z
    .string()
    .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/, 'must be a header name: letters, digits and - without spaces')
    .refine((name) => !isReserved(name.toLowerCase()), 'is set by the sender; choose another name'),
)
const reservedHeaders = new Set([
  ...['connection', 'content-encoding', 'content-length', 'content-type', 'expect', 'host', 'keep-alive'],
  ...['proxy-authorization', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'user-agent'],
  'octomil-integration-id',
])
const isReserved = (name: string): boolean => reservedHeaders.has(name) || name.startsWith('webhook-')
export const maxHeaders = 10
const headerValue = lazy(() =>
  secretText().regex(/^[\x20-\x7e\t]{1,1024}$/, 'must be 1 to 1024 printable ASCII characters'),
)

const headers: FieldSpec = {
  keeping: 'secret_map',
  value: () =>
    z
      .record(headerName(), headerValue().nullable())
      .refine((map) => Object.keys(map).length <= maxHeaders, `must not hold more than ${maxHeaders} headers`)
      .refine(
        (map) => new Set(Object.keys(map).map((name) => name.toLowerCase())).size === Object.keys(map).length,
        'must not name a header twice (names are case-insensitive)',
      )
      .meta({ maxProperties: maxHeaders }),
  description: `At most ${maxHeaders} extra headers; their values are secret. A null value removes a header.`,
  hint: 'add the headers that the receiver asks for',
}

export const integrationTypes = {
  slack: {
    category: 'notification',
    fields: {
      webhook_url: {
        keeping: 'secret_url',
        value: () =>
          url(
            ({ hostname, pathname }) => vendors.slackHosts.includes(hostname) && pathname.length > 1,
            'must be an incoming webhook of Slack: https://hooks.slack.com/services/…',
          ),
        need: 'required',
        description: 'Incoming webhook: https://hooks.slack.com/services/…',
        hint: 'create an incoming webhook in your Slack app and copy its URL',
      },
      channel: {
        keeping: 'plain',
        value: () =>
          z.string().regex(/^[#@]?[\p{L}\p{M}\p{N}_.-]{1,80}$/u, 'must be a channel like #alerts, or the id of one'),
        description: 'A channel other than the webhook’s own.',
        hint: 'name a channel like #alerts',
      },
      workspace_id: {
        keeping: 'plain',
        value: () => z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be the id of a workspace, like T0123456789'),
        description: 'Id of the Slack workspace, for people; stored, but not used in delivery.',
        hint: 'copy the id of the workspace, which begins with T',
      },
    },
  },
  microsoft_teams: {
    category: 'notification',
    fields: {
      webhook_url: {
        keeping: 'secret_url',
        value: () =>
          url(
            ({ hostname }) => isUnder(hostname, vendors.teamsDomains),
            `must be a webhook of Teams: a host under ${vendors.teamsDomains.join(', ')}`,
          ),
        need: 'required',
        description: `Incoming webhook or workflow URL, under ${vendors.teamsDomains.join(', ')}.`,
        hint: 'add a workflow “when a webhook request is received” to the channel and copy its URL',
      },
    },
  },
  pagerduty: {
    category: 'notification',
    fields: {
      routing_key: {
        keeping: 'secret',
        value: () => secretText().regex(/^[A-Za-z0-9]{32}$/, 'must be the 32 letters and digits of an integration key'),
        need: 'required',
        description: 'Integration key of an Events API v2 integration: 32 characters.',
        hint: 'copy the integration key of an Events API v2 integration of the service',
      },
      severity: {
        keeping: 'plain',
        value: () => z.enum(['critical', 'error', 'warning', 'info']),
        need: 'recommended',
        description: 'Severity of the events that are sent.',
        hint: 'choose critical, error, warning or info',
      },
      region: {
        keeping: 'plain',
        value: () => z.enum(vendors.pagerDutyRegions),
        description: 'Service region of the PagerDuty account; us when it is not set.',
        hint: 'choose eu when your PagerDuty address ends in eu.pagerduty.com, us otherwise',
      },
    },
  },
  opsgenie: {
    category: 'notification',
    fields: {
      api_key: {
        keeping: 'secret',
        value: () => secretText().regex(/^[\x21-\x7e]{8,256}$/, 'must be 8 to 256 characters without spaces'),
        need: 'required',
        description: 'Key of an API integration.',
        hint: 'copy the key of an API integration of the team',
      },
      region: {
        keeping: 'plain',
        value: () => z.enum(vendors.opsgenieRegions),
        need: 'recommended',
        description: 'Where the Opsgenie account is; us when it is not set.',
        hint: 'choose eu when your Opsgenie address ends in eu.opsgenie.com, us otherwise',
      },
      priority: {
        keeping: 'plain',
        value: () => z.enum(['P1', 'P2', 'P3', 'P4', 'P5']),
        need: 'recommended',
        description: 'Priority of the alerts that are made.',
        hint: 'choose P1 (critical) to P5 (informational)',
      },
    },
  },
  email: {
    category: 'notification',
    fields: {
      recipients: {
        keeping: 'plain',
        value: () => z.array(emailField()).min(1).max(50),
        need: 'required',
        description: '1 to 50 addresses.',
        hint: 'name at least one address',
      },
      reply_to: {
        keeping: 'plain',
        value: emailField,
        description: 'Address that answers go to.',
        hint: 'name the address that answers go to',
      },
    },
  },
  webhook: {
    category: 'notification',
    fields: {
      url: {
        keeping: 'secret_url',
        destination: true,
        value: () => ownUrl(['https']),
        need: 'required',
        description: 'https; receives a POST for each event.',
        hint: 'name the https URL of the receiver',
      },
      signing_secret: {
        keeping: 'secret',
        value: () =>
          secretText().min(16).max(1024).refine(isSigningSecret, signingSecretMessage).meta({ pattern: '^[^…]+$' }),
        need: 'required',
        description:
          'Signs each delivery (Standard Webhooks): `whsec_` and base64 of 24 to 64 bytes, or any text of at least 16 characters.',
        hint: 'set whsec_ and base64 of 32 random bytes, and verify the signature in the receiver',
      },
      headers,
    },
  },
  datadog: {
    category: 'data',
    fields: {
      api_key: {
        keeping: 'secret',
        value: () =>
          secretText().regex(
            /^[0-9a-fA-F]{32}$/,
            'must be the 32 hexadecimal digits of an API key (not an application key)',
          ),
        need: 'required',
        description: 'API key: 32 hexadecimal digits.',
        hint: 'copy an API key from Organization Settings, API Keys',
      },
      site: {
        keeping: 'plain',
        value: () => z.enum(vendors.datadogSites),
        need: 'recommended',
        description: 'Site that the account is on; datadoghq.com when it is not set.',
        hint: `choose the site of your Datadog address: ${vendors.datadogSites.join(', ')}`,
      },
      tags: {
        keeping: 'plain',
        value: () =>
          z
            .array(
              z
                .string()
                .regex(
                  /^(?=.{3,200}$)\p{L}[\p{L}\p{M}\p{N}_./-]*:[\p{L}\p{M}\p{N}_./:-]+$/u,
                  'must be key:value of at most 200 characters, the key starting with a letter',
                ),
            )
            .max(20),
        description: 'At most 20 tags, each key:value.',
        hint: 'write tags as key:value, like env:prod',
      },
    },
  },
  opentelemetry: {
    category: 'data',
    fields: {
      endpoint: {
        keeping: 'endpoint',
        destination: true,
        value: () => ownUrl(['https', 'http']),
        need: 'required',
        description: 'http or https address of an OTLP receiver.',
        hint: 'name the address of the OTLP receiver, like https://otel.example.com:4318',
      },
      protocol: {
        keeping: 'plain',
        value: () => z.enum(['grpc', 'http/protobuf', 'http/json']),
        need: 'required',
        description: 'OTLP transport.',
        hint: 'choose grpc (port 4317 as a rule), http/protobuf or http/json (4318)',
      },
      headers,
    },
  },
  siem: {
    category: 'data',
    fields: {
      endpoint: {
        keeping: 'secret_url',
        destination: true,
        value: () => ownUrl(['https']),
        need: 'required',
        description: 'https; receives the events.',
        hint: 'name the https URL of the collector',
      },
      format: {
        keeping: 'plain',
        value: () => z.enum(['json', 'cef', 'leef']),
        need: 'required',
        description: 'How an event is written: JSON, ArcSight CEF or QRadar LEEF.',
        hint: 'choose json, cef or leef, as the collector reads',
      },
      token: {
        keeping: 'secret',
        value: () => secretText().regex(/^[\x21-\x7e]{8,1024}$/, 'must be 8 to 1024 characters without spaces'),
        need: 'recommended',
        description: 'Sent as a bearer token.',
        hint: 'copy the token of the collector',
      },
    },
  },
} as const satisfies Record<string, IntegrationSpec>

export type IntegrationType = keyof typeof integrationTypes
export const integrationTypeNames = Object.keys(integrationTypes) as IntegrationType[]

export const specOf = (type: IntegrationType): IntegrationSpec => integrationTypes[type]
