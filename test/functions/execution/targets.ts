/** What the tests of execution have in common: targets, reports, and a clock that they hold. */
import { expect, vi } from 'vitest'
import { newId } from '../../../shared/ids.ts'
import { invoke } from '../../support/invoke.ts'
import type { TestOrg } from '../../support/orgs.ts'
import { putRows, type StoredRow } from '../../support/rows.ts'

type WithKey = Pick<TestOrg, 'adminKey'>

export const createTarget = ({ adminKey }: WithKey, body: object = {}) =>
  invoke('execution/create-local-target', {
    token: adminKey,
    body: { name: 'gpu box', endpoint: 'http://127.0.0.1:8000', runtime: 'vllm', ...body },
  })

/** The id of a new target. */
export async function makeTarget(org: WithKey, body: object = {}): Promise<string> {
  const made = await createTarget(org, body)
  expect(made.status, made.text).toBe(201)
  return made.body.id
}

export const onTarget =
  <Verb extends 'get' | 'delete' | 'update' | 'test'>(operation: Verb) =>
  ({ adminKey }: WithKey, target_id: string, body?: object, headers: Record<string, string> = {}) =>
    invoke(`execution/${operation}-local-target`, {
      token: adminKey,
      params: { target_id },
      ...(body ? { body } : {}),
      headers,
    })
export const getTarget = onTarget('get')
export const deleteTarget = onTarget('delete')
export const patchTarget = onTarget('update')
export const testTarget = onTarget('test')

export interface TestReport {
  target_id: string
  started?: number
  succeeded?: number
  failed?: number
  tokens?: number
  inflight?: number
  latency_ms_p50?: number
  retry_after_seconds?: number
}

/** A batch of reports; what a report does not name is 0. */
export const report = (
  { adminKey }: WithKey,
  reports: TestReport | TestReport[],
  { reporter, headers = {} }: { reporter?: string | undefined; headers?: Record<string, string> } = {},
) =>
  invoke('execution/report', {
    token: adminKey,
    headers,
    body: {
      ...(reporter ? { reporter_id: reporter } : {}),
      reports: [reports].flat().map((one) => ({ started: 0, succeeded: 0, failed: 0, inflight: 0, ...one })),
    },
  })

/** Reports, and holds that they were taken. */
export async function counted(...[org, reports, rest]: Parameters<typeof report>): Promise<void> {
  const answer = await report(org, reports, rest)
  expect({ status: answer.status, body: answer.body }).toEqual({
    status: 202,
    body: { accepted: [reports].flat().length },
  })
}

export async function allHealth({ adminKey }: WithKey) {
  const { status, body, text } = await invoke('execution/health', { token: adminKey })
  expect(status, text).toBe(200)
  return body
}

/** The health of one target. */
export async function healthOf(org: WithKey, targetId: string) {
  const { data } = await allHealth(org)
  return data.find(({ target_id }: { target_id: string }) => target_id === targetId)
}

export const setRouting = async ({ adminKey }: WithKey, body: object): Promise<void> => {
  const { status, text } = await invoke('execution/update-routing', { token: adminKey, body })
  expect(status, text).toBe(200)
}

/** A whole minute that the machine's clock has not come to: what expires by the held clock is still there. */
export const heldStart = Date.UTC(2031, 4, 6, 7, 8)

/** Holds the clock, and nothing else of time, at `heldStart`. */
export const holdClock = (): void => {
  vi.useFakeTimers({ toFake: ['Date'], now: heldStart })
}

/** So many seconds after `heldStart`. */
export const at = (seconds: number): void => {
  vi.setSystemTime(heldStart + seconds * 1000)
}

export const timeAt = (seconds: number): string => new Date(heldStart + seconds * 1000).toISOString()

const made = '2026-01-02T03:04:05.678Z'
const stored = (prefix: string, orgId: string, record: { id: string } & Record<string, unknown>): StoredRow => ({
  pk: `ORG#${orgId}`,
  sk: `${prefix}#${record.id}`,
  ...record,
  name: 'by hand',
  created_at: made,
  updated_at: made,
  version: 1,
})

const many = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at))

/** Puts records behind the service's back, and hands back their ids by kind. */
export async function putTargets(
  orgId: string,
  counts: { local?: number; connections?: number; credentials?: number },
) {
  const local = many(counts.local ?? 0, () =>
    stored('TGT', orgId, {
      id: newId('tgt'),
      ...{ endpoint: 'http://127.0.0.1:8000', runtime: 'vllm', models: [], priority: 100, weight: 1, enabled: true },
      ...{ ciphertext: null, masked: null, key_version: 0, last_verified_at: null },
    }),
  )
  const connections = many(counts.connections ?? 0, () => connectionRow(orgId))
  const credentials = many(counts.credentials ?? 0, () => credentialRow(orgId))
  await putRows([...local, ...connections, ...credentials])
  const ids = (rows: StoredRow[]): string[] => rows.map(({ id }) => String(id))
  return { local: ids(local), connections: ids(connections), credentials: ids(credentials) }
}

export const connectionRow = (orgId: string, fields: object = {}): StoredRow =>
  stored('CONN', orgId, {
    id: newId('conn'),
    ...{ provider: 'openai', base_url: null, enabled: true, masked: '…abcd', key_version: 1 },
    ...{ verification_status: 'verified', verification_error: null, last_attempt_at: made, last_verified_at: made },
    ...{ verification_latency_ms: 12, ciphertext: new Uint8Array(32) },
    ...fields,
  })

export const credentialRow = (orgId: string, fields: object = {}): StoredRow =>
  stored('CRED', orgId, {
    id: newId('cred'),
    ...{ provider: 'openai', base_url: null, masked: '…abcd', key_version: 1, ciphertext: new Uint8Array(32) },
    ...fields,
  })
