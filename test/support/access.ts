/**
 * IAM on one machine: while a handler runs, its calls to DynamoDB are held against its contract's `access`, so that a
 * statement that is missing fails here and not after a deploy, and one that nobody needs is known.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe } from 'node:diagnostics_channel'
import type { ClientRequest } from 'node:http'
import type { Operation, TableAction } from '../../shared/http/operation.ts'
import { kms } from '../../shared/secrets/kms.ts'
import { table } from '../../shared/storage/table.ts'

const running = new AsyncLocalStorage<Operation>()
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
/** The purposes for which each operation was seen to call KMS, by operation id. */
export const usedSecrets = new Map<string, Set<string>>()

function watchSecrets(): void {
  kms().middlewareStack.add(
    (next, context) => (args) => {
      const operation = running.getStore()
      if (operation) {
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

/** The operations that were seen to call a host that is none of AWS's. */
export const calledOut = new Set<string>()

const ofAws = (host: string, port: string): boolean =>
  Object.entries(process.env).some(
    ([name, url]) => name.startsWith('AWS_ENDPOINT_URL_') && url && new URL(url).host === `${host}:${port}`,
  )

function watchOutbound(): void {
  subscribe('http.client.request.start', (message) => {
    const { request } = message as { request: ClientRequest }
    const operation = running.getStore()
    const [, port = ''] = String(request.getHeader('host')).split(':')
    if (!operation || ofAws(request.host, port)) return
    calledOut.add(operation.id)
    if (!operation.access.internet) throw new Error(`${operation.id} may not call ${request.host}`)
  })
}

let watching = false
function watch(): void {
  if (watching) return
  watching = true
  watchSecrets()
  watchOutbound()
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
export function withAccessOf<T>(operation: Operation, run: () => Promise<T>): Promise<T> {
  watch()
  return running.run(operation, run)
}
