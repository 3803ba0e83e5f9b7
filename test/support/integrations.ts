/** Integrations to test with: a complete configuration of each type, and the calls on one. */
import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import type { PlanCode } from '../../shared/billing/plans.ts'
import { setPlan } from '../../shared/operator/orgs.ts'
import { type BodyOf, invoke, type Request, type Response } from './invoke.ts'
import { makeBusyOrg, type TestOrg } from './orgs.ts'

/** The types, spelled from the contract and not from the code. */
export const categories = {
  slack: 'notification',
  microsoft_teams: 'notification',
  pagerduty: 'notification',
  opsgenie: 'notification',
  email: 'notification',
  webhook: 'notification',
  datadog: 'data',
  opentelemetry: 'data',
  siem: 'data',
} as const

export type Type = keyof typeof categories
export const types = Object.keys(categories) as Type[]

/** Every field of each type, with a value that a customer could have. */
export const fullConfigs = {
  slack: {
    webhook_url: 'https://hooks.slack.com/services/T0Q2/B0Q3/kJ8sLw2mQz71',
    channel: '#alerts',
    workspace_id: 'T0Q2ACME',
  },
  microsoft_teams: {
    webhook_url: 'https://acme.webhook.office.com/webhookb2/9f3c@2a71/IncomingWebhook/57ab/c41e9d20',
  },
  pagerduty: { routing_key: 'R02ABCDEF3GHIJKLMN4OPQRSTU5VWX6Y', severity: 'error', region: 'us' },
  opsgenie: { api_key: '6b1f4c2a-93d7-4e58-8f0b-2d7c5a91e3f4', region: 'eu', priority: 'P2' },
  email: { recipients: ['ops@acme.io', 'sre@acme.io'], reply_to: 'desk@acme.io' },
  webhook: {
    url: 'https://hooks.acme.io/octomil/3f9a7c21',
    signing_secret: 'k3Jq-92hsLm0pXv7',
    headers: { 'X-Team': 'platform-4711', Authorization: 'Bearer f81d4fae7dec' },
  },
  datadog: { api_key: '9775a026f1ca7d1c6c5af9d94d9595a4', site: 'datadoghq.eu', tags: ['env:prod', 'team:ml'] },
  opentelemetry: {
    endpoint: 'https://otel.acme.io:4318',
    protocol: 'http/protobuf',
    headers: { 'api-key': 'c0ffee12-77aa' },
  },
  siem: { endpoint: 'https://siem.acme.io/services/collector/a81f', format: 'cef', token: 'tok-51c8d20e7b4a' },
} as const satisfies Record<Type, object>

/** What reads show of those, worked out by hand: secrets by their last 4 characters, URLs by scheme, host and those. */
export const shownConfigs: Record<Type, object> = {
  slack: { webhook_url: 'https://hooks.slack.com/…Qz71', channel: '#alerts', workspace_id: 'T0Q2ACME' },
  microsoft_teams: { webhook_url: 'https://acme.webhook.office.com/…9d20' },
  pagerduty: { routing_key: '…WX6Y', severity: 'error', region: 'us' },
  opsgenie: { api_key: '…e3f4', region: 'eu', priority: 'P2' },
  email: { recipients: ['ops@acme.io', 'sre@acme.io'], reply_to: 'desk@acme.io' },
  webhook: {
    url: 'https://hooks.acme.io/…7c21',
    signing_secret: '…pXv7',
    headers: { 'X-Team': '…4711', Authorization: '…7dec' },
  },
  datadog: { api_key: '…95a4', site: 'datadoghq.eu', tags: ['env:prod', 'team:ml'] },
  opentelemetry: {
    endpoint: 'https://otel.acme.io:4318',
    protocol: 'http/protobuf',
    headers: { 'api-key': '…77aa' },
  },
  siem: { endpoint: 'https://siem.acme.io/…a81f', format: 'cef', token: '…7b4a' },
}

/** An org on a plan, whose admin key has a high rate limit. */
export async function makeOrgOn(plan: PlanCode): Promise<TestOrg> {
  const org = await makeBusyOrg()
  await moveToPlan(org, plan)
  return org
}

export async function moveToPlan({ orgId }: Pick<TestOrg, 'orgId'>, plan: PlanCode): Promise<void> {
  await setPlan(orgId, plan, { name: 'test', requestId: 'test', deadline: new Date(Date.now() + 20_000) })
}

type Extra = Pick<Request, 'headers' | 'token' | 'query' | 'rawBody'>

/** The calls on the integrations of an org, as its admin. */
export function integrationsOf({ adminKey: token }: Pick<TestOrg, 'adminKey'>) {
  const on = (id: string) => ({ token, params: { integration_id: id } })
  const create = (body: object, extra: Extra = {}) => invoke('integrations/create', { token, body, ...extra })
  return {
    create,
    /** Creates one that must succeed, and hands back its record. */
    make: async (type: Type, config: object = fullConfigs[type], name: string = randomUUID()): Promise<Made> => {
      const response = await create({ type, name, config })
      expect(response.status, response.text).toBe(201)
      return { ...response.body, etag: response.headers.etag ?? '' }
    },
    list: (query: Record<string, string> = {}) => invoke('integrations/list', { token, query }),
    get: (id: string, extra: Extra = {}) => invoke('integrations/get', { ...on(id), ...extra }),
    patch: (id: string, body: object, extra: Extra = {}) =>
      invoke('integrations/update', { ...on(id), body, ...extra }),
    remove: (id: string, extra: Extra = {}) => invoke('integrations/delete', { ...on(id), ...extra }),
    validate: (id: string, body?: object, extra: Extra = {}) =>
      invoke('integrations/validate', { ...on(id), ...(body ? { body } : {}), ...extra }),
    /** The events of one integration, oldest first. */
    eventsOf: async (id: string): Promise<Event[]> =>
      (await invoke('audit-events/list', { token, query: { resource_id: id } })).body.data.reverse(),
  }
}

export interface Event {
  action: string
  result: string
  actor: object
  resource: object
  changes: { field: string; before?: unknown; after?: unknown }[]
}

export type Made = BodyOf<'integrations/create'> & { etag: string }

/** What the answer says of one field of the input. */
export const faultOf = ({ body }: Response, path: string): { code: string; message: string } | undefined =>
  (body.errors ?? []).find((fault: { path: string }) => fault.path === path)
