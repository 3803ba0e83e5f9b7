/** What the compiler must accept and refuse of calls; never run, only checked. */
import { type BodyOf, createSettingsClient, type ProblemError } from '../../client/src/index.ts'

const settings = createSettingsClient({ baseUrl: 'http://127.0.0.1', credential: async () => 'token' })
const apiKeys = '/api/v2/settings/api-keys'

export async function acceptedAndRefused(problem: ProblemError) {
  const created = await settings.POST(apiKeys, { body: { name: 'typed', scopes: ['keys:read'] } })
  const { data } = created
  const id: string = data.id
  const rawKey: string | undefined = data.api_key
  // @ts-expect-error a raw key is missing from a replay
  const certainKey: string = data.api_key
  if (created.replayed) created.data.api_key satisfies undefined
  else created.data.api_key satisfies string
  const body: BodyOf<typeof apiKeys, 'post'> = { name: 'typed', scopes: ['keys:read'] }
  await settings.POST(apiKeys, { body })
  // @ts-expect-error a field that no key has
  data.colour

  // @ts-expect-error no such path
  await settings.GET('/api/v2/settings/api-kyes')
  // @ts-expect-error no such method on this path
  await settings.DELETE(apiKeys)
  // @ts-expect-error a page for browsers
  await settings.GET('/api/v1/docs')
  // @ts-expect-error the body is needed
  await settings.POST(apiKeys)
  // @ts-expect-error no such scope
  await settings.POST(apiKeys, { body: { name: 'typed', scopes: ['keys:raed'] } })
  // @ts-expect-error a misspelled field
  await settings.POST(apiKeys, { body: { nmae: 'typed', name: 'typed', scopes: ['keys:read'] } })
  // @ts-expect-error a misspelled option
  await settings.POST(apiKeys, { body: { name: 'typed', scopes: ['keys:read'] }, parms: {} })
  // @ts-expect-error the parameter of the path is needed
  await settings.GET(`${apiKeys}/{key_id}`)
  // @ts-expect-error no such filter
  await settings.GET(apiKeys, { params: { query: { color: 'red' } } })
  // A body that may be absent may be left out.
  await settings.POST(`${apiKeys}/{key_id}/revoke`, { params: { path: { key_id: id } } })
  // What can be changed, or has been made, has an ETag; a list may have none.
  const { etag } = await settings.GET('/api/v2/settings/policies')
  await settings.PATCH('/api/v2/settings/policies', { params: { header: { 'If-Match': etag } }, body: {} })
  const etags: string[] = [created.etag]
  // @ts-expect-error nothing guards a list
  etags.push((await settings.GET(apiKeys)).etag)
  const nothing: undefined = (
    await settings.DELETE('/api/v2/settings/integrations/{integration_id}', {
      params: { path: { integration_id: id } },
    })
  ).data

  for await (const key of settings.entries(apiKeys)) key.state satisfies 'active' | 'retiring' | 'revoked' | 'expired'
  // @ts-expect-error one resource is no list
  settings.entries('/api/v2/settings/policies')
  // @ts-expect-error the verification of a chain has pages, but no entries
  settings.entries('/api/v2/settings/audit-events/verify')
  for await (const page of settings.pages('/api/v2/settings/audit-events/verify')) page.valid satisfies boolean

  // @ts-expect-error no such code
  const isTypo = problem.code === 'rate_limted'
  return [rawKey, certainKey, etags, nothing, isTypo]
}
