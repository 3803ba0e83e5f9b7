/** Connections to test with: the calls on those of an org, and the public APIs that they are tried against. */
import type { RequestListener } from 'node:http'
import { expect } from 'vitest'
import { type BodyOf, invoke, type Request } from '../../support/invoke.ts'
import type { TestOrg } from '../../support/orgs.ts'
import { json, openAiModels } from '../../support/provider.ts'

type Extra = Pick<Request, 'headers' | 'token'>

export type Made = BodyOf<'cloud-connections/create'> & { etag: string }

export interface Event {
  action: string
  result: string
  resource: { type: string; id?: string; name?: string }
  changes: { field: string; before?: unknown; after?: unknown }[]
}

/** The calls on the connections of an org, as its admin. */
export function connectionsOf({ adminKey: token }: Pick<TestOrg, 'adminKey'>) {
  const on = (id: string) => ({ token, params: { connection_id: id } })
  const create = (body: unknown, extra: Extra = {}) => invoke('cloud-connections/create', { token, body, ...extra })
  return {
    create,
    /** Creates a connection with any verdict of its provider, and returns its view. */
    make: async (body: unknown): Promise<Made> => {
      const response = await create(body)
      expect(response.status, response.text).toBe(201)
      return { ...response.body, etag: response.headers.etag ?? '' }
    },
    list: (query: Record<string, string> = {}) => invoke('cloud-connections/list', { token, query }),
    get: (id: string, extra: Extra = {}) => invoke('cloud-connections/get', { ...on(id), ...extra }),
    patch: (id: string, body: unknown, extra: Extra = {}) =>
      invoke('cloud-connections/update', { ...on(id), body, ...extra }),
    remove: (id: string, extra: Extra = {}) => invoke('cloud-connections/delete', { ...on(id), ...extra }),
    models: (id: string, extra: Extra = {}) => invoke('cloud-connections/models', { ...on(id), ...extra }),
    test: (id: string, extra: Extra = {}) => invoke('cloud-connections/test', { ...on(id), ...extra }),
    /** The events of one connection, oldest first. */
    eventsOf: async (id: string): Promise<Event[]> =>
      (await invoke('audit-events/list', { token, query: { resource_id: id, limit: '100' } })).body.data.reverse(),
  }
}

/** Answers with models to the one key, and to any other as OpenAI does, repeating it. */
export const onlyFor =
  (...keys: string[]): RequestListener =>
  (request, response) => {
    const [, key = ''] = (request.headers.authorization ?? '').split(' ')
    const refusal = json({ error: { message: `Incorrect API key provided: ${key}.`, code: 'invalid_api_key' } }, 401)
    const listener = keys.includes(key) ? openAiModels : refusal
    listener(request, response)
  }
