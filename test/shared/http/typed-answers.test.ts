/**
 * The compiler holds each answer against its contract. `npm run typecheck` fails when one of the lines below that expects an
 * error compiles. The runtime part shows that the same handlers are built without the mistake.
 */
import { describe, expect, test } from 'vitest'
import { createApiKey, getApiKey, listApiKeys } from '../../../functions/api-keys/contract.ts'
import { deleteConnection, getConnection, listConnections } from '../../../functions/cloud-connections/contract.ts'
import { getCloudPolicy } from '../../../functions/cloud-policy/contract.ts'
import { getHealth } from '../../../functions/meta/contract.ts'
import type { KeyView } from '../../../shared/api-keys/record.ts'
import { connections } from '../../../shared/cloud-connections/entity.ts'
import { credentials } from '../../../shared/cloud-credentials/entity.ts'
import { routing } from '../../../shared/execution/routing.ts'
import { created, noContent, ok, resource } from '../../../shared/http/answer.ts'
import { serve } from '../../../shared/http/serve.ts'
import { asStored, serveDocument } from '../../../shared/http/serve-documents.ts'
import { servePublic } from '../../../shared/http/serve-public.ts'
import { serveList, serveRecord } from '../../../shared/http/serve-records.ts'

const key = { id: 'key_1', name: 'CI' } as KeyView
const { name, ...nameless } = key
const misspelled = { ...nameless, nmae: name }
const leaking = { ...key, key_hash: 'a secret' }
const nested = { ...key, created_by: { ...key.created_by, password: 'a secret' } }

describe('the compiler', () => {
  test('accepts the answers that contracts declare', () => {
    expect([
      serve(createApiKey, () => created(key, '/there', { api_key: 'raw' })),
      serve(getApiKey, async () => resource(key)),
      serve(listApiKeys, () => ok({ data: [key], next_cursor: null })),
      serve(deleteConnection, () => noContent),
      serveRecord(getConnection, connections),
      serveList(listConnections, connections),
    ]).toHaveLength(6)
  })

  test('refuses a misspelled field in the answer of a create, a get and a list', () => {
    // @ts-expect-error: the contract declares `name`
    serve(createApiKey, () => created(misspelled, '/there'))
    // @ts-expect-error: the contract declares `name`
    serve(getApiKey, async () => resource(misspelled))
    // @ts-expect-error: the contract declares `name`
    serve(listApiKeys, () => ok({ data: [misspelled], next_cursor: null }))
    // @ts-expect-error: the contract declares `next_cursor`
    serve(listApiKeys, async () => ok({ data: [key], nextCursor: null }))
    // @ts-expect-error: the contract declares `version`
    servePublic(getHealth, () => ok({ status: 'ok', verison: '1', commit: 'c', stage: 'dev' }))
  })

  test('refuses a member that the contract does not declare, at any depth', () => {
    // @ts-expect-error: `key_hash` is not declared
    serve(createApiKey, () => created(leaking, '/there'))
    // @ts-expect-error: `key_hash` is not declared
    serve(getApiKey, async () => resource(leaking))
    // @ts-expect-error: `key_hash` is not declared
    serve(listApiKeys, () => ok({ data: [leaking], next_cursor: null }))
    // @ts-expect-error: `created_by.password` is not declared
    serve(getApiKey, () => resource(nested))
  })

  test('refuses a status that the contract does not declare, and a body where it declares none', () => {
    // @ts-expect-error: a create answers 201
    serve(createApiKey, () => ok(key))
    // @ts-expect-error: a delete has no body
    serve(deleteConnection, () => ok(key))
    // @ts-expect-error: a get has a body
    serve(getApiKey, () => noContent)
  })

  test('refuses the records and documents of another operation', () => {
    // @ts-expect-error: credentials are no connections
    serveRecord(getConnection, credentials)
    // @ts-expect-error: credentials are no connections
    serveList(listConnections, credentials)
    // @ts-expect-error: the routing is no cloud policy
    serveDocument(getCloudPolicy, routing, asStored)
  })
})
