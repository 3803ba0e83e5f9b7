/**
 * Child process: the service's reads and writes with only node:http and the SDK. No scopes, no validation, no problems, no
 * hash chain, no logs. The difference to the service is the cost of the service's guarantees.
 */
import { createHash, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import {
  DynamoDBDocumentClient,
  GetCommand,
  QueryCommand,
  TransactWriteCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import { scopeRegistry } from '../shared/auth/scopes.ts'

const registry = scopeRegistry()

const client = DynamoDBDocumentClient.from(new DynamoDBClient({}))
const TableName = process.env.TABLE_NAME
const owners = new Map<string, { org_id: string; key_id: string }>()

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

async function get(pk: string, sk: string): Promise<Record<string, unknown> | undefined> {
  const { Item } = await client.send(new GetCommand({ TableName, Key: { pk, sk }, ConsistentRead: true }))
  return Item
}

/** One look-up per process and key, then the record and the counter in parallel. */
async function authenticate({ headers }: IncomingMessage): Promise<{ org_id: string; key_id: string }> {
  const hash = sha256(headers.authorization?.slice('Bearer '.length) ?? '')
  const owner = owners.get(hash) ?? ((await get(`KEYHASH#${hash}`, 'KEYHASH')) as { org_id: string; key_id: string })
  owners.set(hash, owner)
  const { org_id, key_id } = owner
  const minute = String(Math.floor(Date.now() / 60_000) * 60)
  const count = new UpdateCommand({
    TableName,
    Key: { pk: `ORG#${org_id}#RATE#${key_id}`, sk: minute },
    UpdateExpression: 'ADD #count :one SET expires_at_epoch = :expiry',
    ExpressionAttributeNames: { '#count': 'count' },
    ExpressionAttributeValues: { ':one': 1, ':expiry': Number(minute) + 600 },
    ReturnValues: 'ALL_NEW',
  })
  await Promise.all([get(`ORG#${org_id}`, `KEY#${key_id}`), client.send(count)])
  return owner
}

async function list(org_id: string, limit: number) {
  const { Items } = await client.send(
    new QueryCommand({
      TableName,
      KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
      ExpressionAttributeValues: { ':pk': `ORG#${org_id}`, ':prefix': 'KEY#' },
      ScanIndexForward: false,
      ConsistentRead: true,
      Limit: limit + 1,
    }),
  )
  return { data: Items?.slice(0, limit) }
}

/** Four rows in one transaction, as large as the service's: record, look-up, event, head. */
async function create(org_id: string, body: Record<string, unknown>) {
  const pk = `ORG#${org_id}`
  const head = (await get(pk, 'AUDITHEAD')) as { seq: number; hash: string }
  const id = `key_${randomUUID()}`
  const at = new Date().toISOString()
  const hash = sha256(id)
  const actor = { type: 'api_key', id }
  const record = { id, ...body, created_at: at, created_by: actor, allowed_origins: [], ...nothingYet }
  const changes = Object.entries(body).map(([field, after]) => ({ field, after }))
  const event = {
    id,
    seq: head.seq + 1,
    timestamp: at,
    action: 'api_key.created',
    actor,
    changes,
    prev_hash: head.hash,
  }
  const put = (Item: Record<string, unknown>, ConditionExpression = 'attribute_not_exists(pk)') => ({
    Put: { TableName, Item, ConditionExpression },
  })
  const TransactItems = [
    put({ pk, sk: `KEY#${id}`, ...record }),
    put({ pk: `KEYHASH#${hash}`, sk: 'KEYHASH', org_id, key_id: id }),
    put({ pk, sk: `AUDIT#${at}#${String(event.seq).padStart(12, '0')}`, ...event, hash }),
    {
      Update: {
        TableName,
        Key: { pk, sk: 'AUDITHEAD' },
        UpdateExpression: 'SET seq = :next, #hash = :hash',
        ConditionExpression: 'seq = :seq',
        ExpressionAttributeNames: { '#hash': 'hash' },
        ExpressionAttributeValues: { ':next': event.seq, ':hash': hash, ':seq': head.seq },
      },
    },
  ]
  await client.send(new TransactWriteCommand({ TransactItems }))
  return { ...record, api_key: `oct_org_live_${hash}` }
}

const nothingYet = Object.fromEntries(
  ['federation_id', 'model_id', 'app_id', 'rate_limit_per_minute', 'expires_at', 'last_used_at', 'revoked_at']
    .concat(['revoked_reason', 'rotated_from', 'rotated_to'])
    .map((name) => [name, null]),
)

async function answer(request: IncomingMessage): Promise<{ status: number; body: unknown }> {
  const url = new URL(request.url ?? '/', 'http://bare.invalid')
  const { org_id } = await authenticate(request)
  if (request.method === 'POST') {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    return { status: 201, body: await create(org_id, JSON.parse(Buffer.concat(chunks).toString())) }
  }
  const last = url.pathname.split('/').at(-1)
  if (last === 'scopes') return { status: 200, body: registry }
  if (last === 'api-keys') return { status: 200, body: await list(org_id, Number(url.searchParams.get('limit'))) }
  return { status: 200, body: await get(`ORG#${org_id}`, `KEY#${last}`) }
}

const server = createServer((request, response) => {
  answer(request).then(
    ({ status, body }) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
    (error: unknown) => response.writeHead(500).end(String(error)),
  )
})
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
process.once('disconnect', () => process.exit())
