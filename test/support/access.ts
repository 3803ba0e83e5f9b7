/**
 * IAM on one machine: compares a handler's calls to DynamoDB with the `access` of its contract. So a missing statement fails
 * here and not after a deploy, and an unused one is found.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe } from 'node:diagnostics_channel'
import type { ClientRequest } from 'node:http'
import Stripe from 'stripe'
import type { TableAction } from '../../shared/access.ts'
import { sqs } from '../../shared/delivery/queue.ts'
import type { Operation } from '../../shared/http/operation.ts'
import { kms } from '../../shared/secrets/kms.ts'
import { eventBridge } from '../../shared/stripe-events/bus.ts'
import { table, wireTable } from '../../shared/table/client.ts'

/** An operation or a background function, each with declared access. */
type Accessing = Pick<Operation, 'id' | 'access'>
const running = new AsyncLocalStorage<Accessing>()
/** The actions that each operation was seen to use, by operation id. */
export const usedActions = new Map<string, Set<TableAction>>()

const singleActions: Record<string, TableAction> = {
  GetItemCommand: 'GetItem',
  PutItemCommand: 'PutItem',
  UpdateItemCommand: 'UpdateItem',
  DeleteItemCommand: 'DeleteItem',
  QueryCommand: 'Query',
  BatchGetItemCommand: 'BatchGetItem',
}
const transactActions: Record<string, TableAction> = {
  Put: 'PutItem',
  Update: 'UpdateItem',
  Delete: 'DeleteItem',
  ConditionCheck: 'ConditionCheckItem',
}

function actionsOf(commandName: string, input: { TransactItems?: object[] }): TableAction[] {
  if (commandName === 'TransactWriteItemsCommand') {
    return (input.TransactItems ?? []).flatMap((item) =>
      Object.keys(item).map((kind) => transactActions[kind] as TableAction),
    )
  }
  const action = singleActions[commandName]
  if (!action) throw new Error(`${commandName} has no IAM action here; add it to test/support/access.ts`)
  return [action]
}

/** Commands of KMS by the word that a contract has for them. */
const secretActions: Record<string, 'encrypt' | 'decrypt'> = { EncryptCommand: 'encrypt', DecryptCommand: 'decrypt' }
/** The use of the audit key by which a contract allows a command of KMS. */
const auditKeyUses: Record<string, string> = { GetPublicKeyCommand: 'read', SignCommand: 'sign' }
/** The purposes for which each operation was seen to call KMS, by operation id. */
export const usedSecrets = new Map<string, Set<string>>()

/** Ids of what was seen to use the key of the audit trail. */
export const usedAuditKey = new Set<string>()

function watchAuditKey({ id, access }: Accessing, use: string): void {
  usedAuditKey.add(id)
  if (access.auditKey === use || access.auditKey === 'sign') return
  throw Object.assign(new Error(`${id} may not ${use} with the audit key`), { name: 'AccessDeniedException' })
}

function watchSecrets(): void {
  kms().middlewareStack.add(
    (next, context) => (args) => {
      const operation = running.getStore()
      const auditKeyUse = auditKeyUses[String(context.commandName)]
      if (operation && auditKeyUse) watchAuditKey(operation, auditKeyUse)
      else if (operation) {
        const { EncryptionContext } = args.input as { EncryptionContext?: Record<string, string> }
        const use = `${secretActions[String(context.commandName)]} ${EncryptionContext?.purpose}`
        usedSecrets.set(operation.id, (usedSecrets.get(operation.id) ?? new Set()).add(use))
        const allowed = operation.access.secrets
        if (use !== `${allowed?.action} ${allowed?.purpose}`) {
          throw Object.assign(new Error(`${operation.id} may not ${use}`), { name: 'AccessDeniedException' })
        }
      }
      return next(args)
    },
    { step: 'initialize', name: 'accessOfContract' },
  )
}

/** The operations that were seen to call a host that is none of AWS's nor Stripe's. */
export const calledOut = new Set<string>()

const ours = new Set<string>()

/** Hosts are never removed: a request may be retried after its test ended. */
function isOurs(host: string, port: string): boolean {
  const authority = `${host}:${port}`
  if (!ours.has(authority)) {
    for (const [name, url] of Object.entries(process.env)) {
      if (/^AWS_ENDPOINT_URL_|^STRIPE_API_URL$/.test(name) && url) ours.add(new URL(url).host)
    }
  }
  return ours.has(authority)
}

function watchOutbound(): void {
  subscribe('http.client.request.start', (message) => {
    const operation = running.getStore()
    if (!operation) return
    const { request } = message as { request: ClientRequest }
    const [, port = ''] = String(request.getHeader('host')).split(':')
    if (isOurs(request.host, port)) return
    calledOut.add(operation.id)
    if (!operation.access.internet) throw new Error(`${operation.id} may not call ${request.host}`)
  })
}

/** Ids of operations that put events on the bus. */
export const putsEvents = new Set<string>()

function watchEvents(): void {
  eventBridge().middlewareStack.add(
    (next) => (args) => {
      const operation = running.getStore()
      if (operation) {
        putsEvents.add(operation.id)
        if (operation.access.events !== 'put') {
          throw Object.assign(new Error(`${operation.id} may not put events`), { name: 'AccessDeniedException' })
        }
      }
      return next(args)
    },
    { step: 'initialize', name: 'accessOfContract' },
  )
}

/** Ids of operations that queued deliveries. */
export const queuesDeliveries = new Set<string>()

/** Each of these clients may be used by functions whose contracts say so. */
function watchDeliveries(): void {
  sqs().middlewareStack.add(
    (next, context) => (args) => {
      const operation = running.getStore()
      if (operation) {
        const { deliveries } = operation.access
        const isSending = String(context.commandName) === 'SendMessageCommand'
        if (isSending) queuesDeliveries.add(operation.id)
        if (isSending ? !deliveries : deliveries !== 'receive')
          throw new Error(`${operation.id} may not ${context.commandName}`)
      }
      return next(args)
    },
    { step: 'initialize', name: 'accessOfContract' },
  )
}

/** Ids of operations that called Stripe. */
export const callsStripe = new Set<string>()

/** Every request of Stripe's client passes here, and still in the context of the handler that made it. */
function watchStripe(): void {
  const http = Object.getPrototypeOf(Stripe.createNodeHttpClient()) as ReturnType<typeof Stripe.createNodeHttpClient>
  const { makeRequest } = http
  http.makeRequest = function (...request) {
    const operation = running.getStore()
    if (operation) callsStripe.add(operation.id)
    if (operation && !operation.access.stripe) throw new Error(`${operation.id} may not call Stripe`)
    return makeRequest.apply(this, request)
  }
}

/** The engine wants a signature and checks none. The SDK's own took a twelfth of a test's CPU time. */
function signOnce(): void {
  const credential = 'local/20260101/us-east-1/dynamodb/aws4_request'
  const headers = {
    authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=host, Signature=0`,
    'x-amz-date': '20260101T000000Z',
  }
  wireTable().config.signer = async () => ({
    sign: async (request) => ({ ...request, headers: { ...request.headers, ...headers } }),
  })
}

let watching = false
function watch(): void {
  if (watching) return
  watching = true
  watchSecrets()
  watchOutbound()
  watchEvents()
  watchStripe()
  watchDeliveries()
  signOnce()
  table().middlewareStack.add(
    (next, context) => (args) => {
      const operation = running.getStore()
      if (operation) {
        const used = usedActions.get(operation.id) ?? new Set()
        usedActions.set(operation.id, used)
        for (const action of actionsOf(String(context.commandName), args.input as { TransactItems?: object[] })) {
          used.add(action)
          if (operation.access.table.includes(action)) continue
          throw Object.assign(new Error(`${operation.id} may not dynamodb:${action}`), {
            name: 'AccessDeniedException',
          })
        }
      }
      return next(args)
    },
    { step: 'initialize', name: 'accessOfContract' },
  )
}

/** Runs a handler under its contract's access. */
export function withAccessOf<T>(operation: Accessing, run: () => Promise<T>): Promise<T> {
  watch()
  return running.run(operation, run)
}
