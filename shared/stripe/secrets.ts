/**
 * Stripe's secrets: from the environment, else from the stage's Secrets Manager secret. Its value is
 * `{"secret_key":"sk_…","webhook_secrets":["whsec_…"]}`. During a roll, several webhook secrets are valid.
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

/** Maximum age of cached secrets. */
const cacheMs = 5 * 60_000
/** A sender of wrong signatures must not cause a call of Secrets Manager per request. */
const renewalPauseMs = 30_000

interface Read {
  arn: string
  at: number
  secrets: Promise<StripeSecrets>
}
let last: Read | undefined

/** The secrets, at most 5 minutes old. Secrets that are not set are absent; the caller reports that. */
export async function stripeSecrets(): Promise<StripeSecrets> {
  return current(cacheMs)
}

/**
 * Reads the secrets again after one was refused, since it may have been rotated. Reuses a read of the last 30 seconds.
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
  // The next request retries a failed read.
  read.secrets.catch(() => {
    if (last === read) last = undefined
  })
  return read.secrets
}

/** Keeps the previous secrets when Secrets Manager fails. */
const keep =
  ({ secrets }: Read) =>
  (error: unknown) => {
    log.warn('could not read the Stripe secret again; the previous one stays in use', { error: error as Error })
    return secrets
  }

/** Whether the key is of live mode. Events of the other mode are not for this deployment. */
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

/** A secret that was created and never filled has no value. */
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
    // Do not log the text, nor the error, which quotes it.
    log.error('the Stripe secret is not JSON of the shape {"secret_key":"sk_…","webhook_secrets":["whsec_…"]}')
    return { secret_key: '', webhook_secrets: [] }
  }
}
