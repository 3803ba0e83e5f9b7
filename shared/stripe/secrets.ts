/**
 * Stripe's secrets: from the environment, else from the Secrets Manager secret of the stage, whose value is
 * `{"secret_key":"sk_…","webhook_secrets":["whsec_…"]}`. Several webhook secrets hold at once while one is rolled.
 */
import { GetSecretValueCommand, ResourceNotFoundException, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import * as z from 'zod'
import { lazy } from '../lazy.ts'
import { awsClientSettings } from '../runtime/aws-client.ts'
import { environment } from '../runtime/environment.ts'
import { log } from '../runtime/log.ts'

export interface StripeSecrets {
  secretKey?: string
  webhookSecrets: string[]
}

/** How long a secret that was read is taken for the current one. */
const cacheMs = 5 * 60_000
/** Whoever sends wrong signatures must not make us ask Secrets Manager for each. */
const renewalPauseMs = 30_000

interface Read {
  arn: string
  at: number
  secrets: Promise<StripeSecrets>
}
let last: Read | undefined

/** The secrets, at most 5 minutes old. What is not set is absent; that is for the caller to tell. */
export async function stripeSecrets(): Promise<StripeSecrets> {
  return current(cacheMs)
}

/**
 * The secrets once more from where they are kept, for when one of them was refused: it may have been rotated since. What
 * was read in the last 30 seconds is not read again.
 */
export async function renewedStripeSecrets(): Promise<StripeSecrets> {
  return current(renewalPauseMs)
}

function current(maxAgeMs: number): Promise<StripeSecrets> | StripeSecrets {
  const given = fromEnvironment()
  const arn = environment('stripeSecretArn')
  if (given.secretKey !== undefined || given.webhookSecrets.length > 0 || arn === undefined) return given
  const now = Date.now()
  const before = last?.arn === arn ? last : undefined
  if (before && now - before.at < maxAgeMs) return before.secrets
  const read: Read = {
    arn,
    at: now,
    secrets: before ? fromSecretsManager(arn).catch(keep(before)) : fromSecretsManager(arn),
  }
  last = read
  // What could not be read is asked for again by the next request.
  read.secrets.catch(() => {
    if (last === read) last = undefined
  })
  return read.secrets
}

/** Those of before go on being good when Secrets Manager fails. */
const keep =
  ({ secrets }: Read) =>
  (error: unknown) => {
    log.warn('the Stripe secret could not be read again; the last one goes on being used', { error: error as Error })
    return secrets
  }

/** Whether the key is one of live mode; events of the other mode are not ours. */
export const isLivemode = (secretKey: string): boolean => /^(sk|rk)_live_/.test(secretKey)

const fromEnvironment = (): StripeSecrets =>
  secretsOf(environment('stripeSecretKey') ?? '', (environment('stripeWebhookSecret') ?? '').split(','))

function secretsOf(secretKey: string, webhookSecrets: readonly string[]): StripeSecrets {
  const key = secretKey.trim()
  return {
    ...(key === '' ? {} : { secretKey: key }),
    webhookSecrets: webhookSecrets.map((secret) => secret.trim()).filter((secret) => secret !== ''),
  }
}

let shared: SecretsManagerClient | undefined

/** The client, made on first use. */
export function secretsManager(): SecretsManagerClient {
  shared ??= new SecretsManagerClient(awsClientSettings)
  return shared
}

/** The value of the Secrets Manager secret. */
export const storedSecrets = lazy(() =>
  z.object({ secret_key: z.string().default(''), webhook_secrets: z.array(z.string()).default([]) }),
)

async function fromSecretsManager(arn: string): Promise<StripeSecrets> {
  const { secret_key, webhook_secrets } = parse(await textOf(arn))
  return secretsOf(secret_key, webhook_secrets)
}

/** A secret that was made and never filled has no value. */
async function textOf(arn: string): Promise<string> {
  try {
    const { SecretString } = await secretsManager().send(new GetSecretValueCommand({ SecretId: arn }))
    return SecretString ?? ''
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return ''
    throw error
  }
}

function parse(text: string): z.infer<ReturnType<typeof storedSecrets>> {
  try {
    return storedSecrets().parse(text === '' ? {} : JSON.parse(text))
  } catch {
    // Neither the text nor the error, which quotes it, may be logged.
    log.error('the Stripe secret is not JSON of the shape {"secret_key":"sk_…","webhook_secrets":["whsec_…"]}')
    return { secret_key: '', webhook_secrets: [] }
  }
}
