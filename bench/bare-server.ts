/**
 * Child process: the service's reads and writes with only node:http, zod and the SDK. No problems, no idempotency, no
 * conditional requests, no logs. The difference to the service is the cost of the service's guarantees.
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import {
  DynamoDBDocumentClient,
  GetCommand,
  QueryCommand,
  TransactWriteCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import * as z from 'zod'
import { scopeRegistry } from '../shared/auth/scopes.ts'
import { lazy } from '../shared/lazy.ts'

const registry = scopeRegistry()

/** The bench counts its units. */
export const bareClient = lazy(() => DynamoDBDocumentClient.from(new DynamoDBClient({})))
const tableName = () => process.env.TABLE_NAME
const owners = new Map<string, Owner>()

interface Owner {
  org_id: string
  key_id: string
}

const newKey = z.strictObject({
  name: z.string().min(1).max(100),
  scopes: z.array(z.enum(registry.scopes.map(({ scope }) => scope))).min(1),
  environment: z.enum(['live', 'test']).default('live'),
})
const presented = z.strictObject({
  token: z.string(),
  token_type_hint: z.string().optional(),
  required_scope: z.enum(registry.scopes.map(({ scope }) => scope)).optional(),
  origin: z.string().max(2048).optional(),
  include: z.array(z.enum(['policies', 'cloud_policy', 'usage'])).default([]),
  count: z.boolean().default(false),
})
const page = z.strictObject({ limit: z.coerce.number().int().min(1).max(100).default(50) })

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

async function get(pk: string, sk: string): Promise<Record<string, unknown> | undefined> {
  const { Item } = await bareClient().send(
    new GetCommand({ TableName: tableName(), Key: { pk, sk }, ConsistentRead: true }),
  )
  return Item
}

/** Requests that one write of the rate counter stands for. */
const leased = 100
const counted = new Map<string, number>()

async function count({ org_id, key_id }: Owner): Promise<void> {
  const requests = counted.get(key_id) ?? 0
  counted.set(key_id, requests + 1)
  if (requests % leased !== 0) return
  const minute = Math.floor(Date.now() / 60_000) * 60
  const update = new UpdateCommand({
    TableName: tableName(),
    Key: { pk: `ORG#${org_id}#RATE#${key_id}`, sk: String(minute) },
    UpdateExpression: 'ADD #count :leased SET expires_at_epoch = :expiry',
    ExpressionAttributeNames: { '#count': 'count' },
    ExpressionAttributeValues: { ':leased': leased, ':expiry': minute + 600 },
  })
  await bareClient().send(update)
}

/** One look-up per process and key. Undefined for an unknown key. */
async function ownerOf(rawKey: string): Promise<Owner | undefined> {
  const hash = sha256(rawKey)
  const owner = owners.get(hash) ?? ((await get(`KEYHASH#${hash}`, 'KEYHASH')) as Owner | undefined)
  if (owner) owners.set(hash, owner)
  return owner
}

const recordOf = ({ org_id, key_id }: Owner) => get(`ORG#${org_id}`, `KEY#${key_id}`)

/** The record, and the count of the rate limit. Undefined for an unknown key. */
async function authenticate({ headers }: IncomingMessage): Promise<Owner | undefined> {
  const owner = await ownerOf(headers.authorization?.slice('Bearer '.length) ?? '')
  if (!owner) return undefined
  const [record] = await Promise.all([recordOf(owner), count(owner)])
  return record && !record.revoked_at ? owner : undefined
}

/** Reads what the service reads: the record of the key, and the plan of its org. */
async function introspect(caller: Owner, { token, required_scope }: z.infer<typeof presented>) {
  const owner = await ownerOf(token)
  if (owner?.org_id !== caller.org_id) return { active: false, reason: 'unknown' }
  const [record, billing] = await Promise.all([recordOf(owner), get(`ORG#${owner.org_id}`, 'BILLING')])
  if (!record || record.revoked_at) return { active: false, reason: 'revoked' }
  const scopes = record.scopes as string[]
  const { id, created_at, key_type, environment, app_id, model_id, federation_id } = record
  const { allowed_origins, allowed_app_ids, rate_limit_per_minute } = record
  return {
    ...{ active: true, scope: scopes.join(' '), client_id: id, sub: id, token_type: 'Bearer' },
    iat: Math.floor(Date.parse(String(created_at)) / 1000),
    ...{ key_id: id, key_type, org_id: owner.org_id, environment, scopes, app_id, model_id, federation_id },
    ...{ allowed_origins, allowed_app_ids, state: 'active', retires_at: null, rate_limit_per_minute },
    plan: (billing?.override as { plan?: string } | undefined)?.plan ?? 'free',
    permitted: required_scope === undefined || scopes.includes(required_scope),
    max_age_seconds: 30,
  }
}

async function list(org_id: string, limit: number) {
  const { Items } = await bareClient().send(
    new QueryCommand({
      TableName: tableName(),
      KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
      ExpressionAttributeValues: { ':pk': `ORG#${org_id}`, ':prefix': 'KEY#' },
      ScanIndexForward: false,
      ConsistentRead: true,
      Limit: limit + 1,
    }),
  )
  return { data: Items?.slice(0, limit) }
}

/** Three rows in one transaction, as large as the service's: record, look-up, event. */
async function create({ org_id, key_id }: Owner, body: z.infer<typeof newKey>) {
  const pk = `ORG#${org_id}`
  const id = `key_${randomUUID()}`
  const at = new Date().toISOString()
  const api_key = `oct_org_live_${randomBytes(32).toString('base64url')}`
  const actor = { type: 'api_key', id: key_id }
  const record = { id, ...body, created_at: at, created_by: actor, allowed_origins: [], ...nothingYet }
  const changes = Object.entries(body).map(([field, after]) => ({ field, after }))
  const resource = { type: 'api_key', id, name: body.name }
  const event = { id: `aud_${randomUUID()}`, timestamp: at, action: 'api_key.created', actor, resource, changes }
  const rows = [
    { pk, sk: `KEY#${id}`, ...record },
    { pk: `KEYHASH#${sha256(api_key)}`, sk: 'KEYHASH', org_id, key_id: id },
    { pk, sk: `EVENT#${event.id}`, ...event, result: 'success', hash: sha256(JSON.stringify(event)) },
  ]
  const put = (Item: object) => ({
    Put: { TableName: tableName(), Item, ConditionExpression: 'attribute_not_exists(pk)' },
  })
  await bareClient().send(new TransactWriteCommand({ TransactItems: rows.map(put) }))
  return { ...record, api_key }
}

const nothingYet = Object.fromEntries(
  ['federation_id', 'model_id', 'app_id', 'rate_limit_per_minute', 'expires_at', 'last_used_at', 'revoked_at']
    .concat(['revoked_reason', 'rotated_from', 'rotated_to'])
    .map((name) => [name, null]),
)

async function answer(request: IncomingMessage): Promise<{ status: number; body: unknown }> {
  const url = new URL(request.url ?? '/', 'http://bare.invalid')
  const owner = await authenticate(request)
  if (!owner) return { status: 401, body: { status: 401 } }
  const last = url.pathname.split('/').at(-1)
  if (request.method === 'POST') {
    const sent = await bodyOf(request)
    if (last === 'introspect') return answerTo(presented.safeParse(sent), 200, (body) => introspect(owner, body))
    return answerTo(newKey.safeParse(sent), 201, (body) => create(owner, body))
  }
  if (last === 'scopes') return { status: 200, body: registry }
  if (last !== 'api-keys') return { status: 200, body: await get(`ORG#${owner.org_id}`, `KEY#${last}`) }
  const query = page.safeParse(Object.fromEntries(url.searchParams))
  return answerTo(query, 200, ({ limit }) => list(owner.org_id, limit))
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return JSON.parse(Buffer.concat(chunks).toString())
}

const answerTo = async <T>(parsed: z.ZodSafeParseResult<T>, status: number, work: (input: T) => Promise<unknown>) =>
  parsed.success ? { status, body: await work(parsed.data) } : { status: 400, body: parsed.error }

/** Listens on a free port of loopback. */
export async function listen(): Promise<{ server: Server; port: number }> {
  const server = createServer((request, response) => {
    answer(request).then(
      ({ status, body }) =>
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
      (error: unknown) => response.writeHead(500).end(String(error)),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { server, port: (server.address() as AddressInfo).port }
}

if (import.meta.main) {
  process.once('disconnect', () => process.exit())
  process.send?.({ port: (await listen()).port })
}
