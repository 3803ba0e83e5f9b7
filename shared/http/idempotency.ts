/**
 * `Idempotency-Key` on POST: the first answer to a key is kept for a day and replayed, per principal and operation. The
 * first request holds the key until it times out. The transaction of a commit also stores the answer, so the answer survives
 * a crash after the commit.
 */
import { createHash } from 'node:crypto'
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import { PutCommand } from '@aws-sdk/lib-dynamodb'
import { unmarshall } from '@aws-sdk/util-dynamodb'
import canonicalize from 'canonicalize'
import { type Caller, principalOf } from '../auth/caller.ts'
import { type InputFault, isRetryable, type ProblemCode, ProblemError, type PublishedCode } from '../problem.ts'
import { answerMarginMs } from '../runtime/deadline.ts'
import { log } from '../runtime/log.ts'
import { Secret } from '../secrets/secret.ts'
import { tableName } from '../table/client.ts'
import { orgPartition, type RowKey } from '../table/rows.ts'
import { updateRow, writeRow } from '../table/update.ts'
import { updateIf, type Write } from '../table/writes.ts'
import type { Answer } from './answer.ts'
import type { Exchange } from './exchange.ts'
import { type Operation, takesIdempotencyKey } from './operation.ts'

const keepSeconds = 24 * 60 * 60

type KeptAnswer =
  // The body as JSON text: DynamoDB does not keep the order of fields, and a replay must have the same bytes and ETag.
  | { kind: 'answer'; status: number; body?: string; headers?: Record<string, string>; unchanged?: true }
  | {
      kind: 'problem'
      code: ProblemCode
      detail: string
      errors?: readonly InputFault[]
      headers?: Record<string, string>
      retryable?: boolean
      published?: PublishedCode
    }

/** A running request's hold on its idempotency key. Other requests with the key fail until it ends. */
export interface IdempotencyHold {
  /** The write that keeps the answer, for a transaction. It fails if another request took over the key. */
  keepWith(answer: Answer): Write
  /** Call this after the transaction with that write succeeded. */
  kept(): void
}

type Handler = (hold: IdempotencyHold | undefined) => Promise<Answer>

/**
 * Runs `handler` at most once per idempotency key.
 *
 * @throws ProblemError `idempotency_mismatch`, `idempotency_in_progress`, and the errors of the handler
 */
export async function onceOnly(
  operation: Operation,
  caller: Caller,
  exchange: Exchange,
  handler: Handler,
): Promise<Answer> {
  const idempotencyKey = exchange.headers['idempotency-key']
  if (!takesIdempotencyKey(operation) || idempotencyKey === undefined) return handler(undefined)
  const hold = new KeyHold(operation, caller, exchange, idempotencyKey)
  const kept = await hold.take()
  if (kept) return replay(kept)
  try {
    if (exchange.pastFault) throw exchange.pastFault
    const answer = await handler(hold)
    await hold.keep(toKept(answer))
    return answer
  } catch (error) {
    if (isLasting(error) && error !== exchange.pastFault) await hold.keep(problemToKept(error))
    else await hold.release()
    throw error
  }
}

/** Whether the same request would fail again. A transient failure must not be kept for a day. */
const isLasting = (error: unknown): error is ProblemError =>
  error instanceof ProblemError && error.status < 500 && !isRetryable(error)

const toKept = ({ status, body, headers, unchanged }: Answer): KeptAnswer => ({
  kind: 'answer',
  status,
  ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  ...(headers ? { headers } : {}),
  ...(unchanged ? { unchanged } : {}),
})

const problemToKept = ({ code, message, details }: ProblemError): KeptAnswer => ({
  kind: 'problem',
  code,
  detail: message,
  ...(details.errors ? { errors: details.errors } : {}),
  ...(details.headers ? { headers: details.headers } : {}),
  ...(details.retryable === undefined ? {} : { retryable: details.retryable }),
  ...(details.published ? { published: details.published } : {}),
})

/** Whether an error is the kept answer to an earlier request. */
export const isReplay = ({ details }: ProblemError): boolean => details.headers?.[replayedHeader] !== undefined

const replayedHeader = 'idempotency-replayed'

function replay(kept: KeptAnswer): Answer {
  const replayed = { [replayedHeader]: 'true' }
  if (kept.kind === 'problem') {
    const { code, detail, kind: _kind, ...details } = kept
    throw new ProblemError(code, detail, { ...details, headers: { ...kept.headers, ...replayed } })
  }
  const { status, body, headers, unchanged = false } = kept
  return {
    status,
    unchanged,
    body: body === undefined ? undefined : JSON.parse(body),
    headers: { ...headers, ...replayed },
  }
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/**
 * Two digests of a request. `sent` covers the client's JSON: it stays the same when a deploy adds a field with a default.
 * `fingerprint` covers the validated input: two spellings of one request have the same one.
 */
type Fingerprints = { sent: string; fingerprint?: string }

const isSameRequest = (existing: Record<string, unknown>, { sent, fingerprint }: Fingerprints): boolean =>
  existing.sent === sent || (fingerprint !== undefined && existing.fingerprint === fingerprint)

class KeyHold implements IdempotencyHold {
  readonly #key: RowKey
  readonly #fingerprints: Fingerprints
  readonly #exchange: Exchange
  #kept = false

  constructor(operation: Operation, caller: Caller, exchange: Exchange, idempotencyKey: string) {
    this.#key = {
      pk: `${orgPartition(caller.orgId)}#IDEM#${principalOf(caller)}`,
      sk: `${operation.id}#${sha256(idempotencyKey)}`,
    }
    // The key is not stored. Each digest includes it, so that the table has no plain digest of a secret.
    const digest = (input: unknown): string => sha256(idempotencyKey + canonicalize(withSecrets(input)))
    this.#fingerprints = {
      sent: digest(exchange.sent),
      ...(exchange.pastFault ? {} : { fingerprint: digest(exchange.input) }),
    }
    this.#exchange = exchange
  }

  /** Takes the hold, or returns the kept answer, or throws. */
  async take(): Promise<KeptAnswer | undefined> {
    const { now, deadline, requestId } = this.#exchange
    const epoch = Math.floor(now.getTime() / 1000)
    try {
      await writeRow(
        new PutCommand({
          TableName: tableName(),
          Item: {
            ...this.#key,
            ...this.#fingerprints,
            owner: requestId,
            lease_until_ms: deadline.getTime() + answerMarginMs,
            expires_at_epoch: epoch + keepSeconds,
          },
          // The owner may be this request: the SDK repeats a write when it loses the response.
          ConditionExpression:
            'attribute_not_exists(pk) OR expires_at_epoch <= :epoch OR (attribute_not_exists(kept) AND (lease_until_ms < :now OR #owner = :owner))',
          ExpressionAttributeNames: { '#owner': 'owner' },
          ExpressionAttributeValues: { ':epoch': epoch, ':now': now.getTime(), ':owner': requestId },
          ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
        }),
      )
      return undefined
    } catch (error) {
      if (!(error instanceof ConditionalCheckFailedException) || !error.Item) throw error
      return this.#judge(unmarshall(error.Item))
    }
  }

  #judge(existing: Record<string, unknown>): KeptAnswer {
    if (!isSameRequest(existing, this.#fingerprints)) {
      throw new ProblemError(
        'idempotency_mismatch',
        'This Idempotency-Key was used for another request in the last 24 hours; use a new one.',
      )
    }
    if (existing.kept) return existing.kept as KeptAnswer
    throw new ProblemError('idempotency_in_progress', 'The first request with this Idempotency-Key is still running.', {
      headers: { 'retry-after': '1' },
    })
  }

  keepWith(answer: Answer): Write {
    return updateIf(
      this.#key,
      this.#keeping(toKept(answer)),
      () =>
        new ProblemError('idempotency_in_progress', 'Another request with this Idempotency-Key took over. Retry.', {
          headers: { 'retry-after': '1' },
        }),
    )
  }

  kept(): void {
    this.#kept = true
  }

  #keeping(kept: KeptAnswer) {
    return {
      UpdateExpression: 'SET kept = :kept',
      ConditionExpression: '#owner = :owner AND attribute_not_exists(kept)',
      ExpressionAttributeNames: { '#owner': 'owner' },
      ExpressionAttributeValues: { ':kept': kept, ':owner': this.#exchange.requestId },
    }
  }

  /** Keeps an answer that no commit has kept. If that fails, the caller still gets the answer. */
  async keep(kept: KeptAnswer): Promise<void> {
    if (!this.#kept) await this.#quietly(this.#keeping(kept))
  }

  /** Ends the hold, so that the next request with the key can run immediately. */
  async release(): Promise<void> {
    const { requestId } = this.#exchange
    await this.#quietly({
      UpdateExpression: 'SET lease_until_ms = :past',
      ConditionExpression: '#owner = :owner AND attribute_not_exists(kept)',
      ExpressionAttributeNames: { '#owner': 'owner' },
      ExpressionAttributeValues: { ':past': 0, ':owner': requestId },
    })
  }

  async #quietly(update: Parameters<typeof updateRow>[1]): Promise<void> {
    await updateRow(this.#key, update).catch((error: unknown) => {
      if (error instanceof ConditionalCheckFailedException) return
      log.warn('the idempotency record could not be updated', { error: error as Error })
    })
  }
}

/** The input with its secrets in clear text. In JSON all secrets look the same. */
function withSecrets(value: unknown): unknown {
  if (value instanceof Secret) return value.reveal()
  if (Array.isArray(value)) return value.map(withSecrets)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, withSecrets(part)]))
}
