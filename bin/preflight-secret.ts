/** Preflight checks of the Stripe secret in Secrets Manager: it exists, its KMS key is known, its value has the right shape. */
import { DescribeKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { DescribeSecretCommand, GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { outputNames } from '../lib/stage.ts'
import { connect } from '../shared/stripe/client.ts'
import { isLivemode, storedSecrets } from '../shared/stripe/secrets.ts'
import { type Finding, fail, ok, skip, warn } from './checks.ts'
import { outputsOf } from './command.ts'
import { clientLimits, type PreflightContext, permitted, unlessMissing } from './preflight-context.ts'

const noSecretYet = 'the first deploy makes an empty secret; fill it in afterwards'

/** The secret of the option, or the one of an earlier deploy. */
async function secretArnOf({ settings: { stage, stripe } }: PreflightContext): Promise<string | undefined> {
  if (stripe.secretArn !== undefined) return stripe.secretArn
  return (await permitted('cloudformation:DescribeStacks', outputsOf(stage, 'Storage')))?.[outputNames.stripeSecretArn]
}

export async function stripeSecret(context: PreflightContext): Promise<Finding> {
  const arn = await secretArnOf(context)
  if (arn === undefined) return skip(noSecretYet)
  const itsRegion = arn.split(':')[3]
  if (itsRegion !== context.region)
    return fail(`a secret in ${context.region}`, `one in ${itsRegion}`, replicate(arn, context.region))
  const read = new SecretsManagerClient(clientLimits).send(new DescribeSecretCommand({ SecretId: arn }))
  const found = await permitted('secretsmanager:DescribeSecret', unlessMissing(read, 'ResourceNotFoundException'))
  if (!found) return fail(`the secret ${arn}`, 'none', 'set stripe_secret_arn to the whole ARN of the secret')
  if (found.DeletedDate)
    return fail('a secret', 'one that will be deleted', `aws secretsmanager restore-secret --secret-id ${arn}`)
  return found.KmsKeyId === undefined ? withoutKey(context) : await withKey(context, found.KmsKeyId)
}

const replicate = (arn: string, region = ''): string =>
  `aws secretsmanager replicate-secret-to-regions --secret-id ${arn} --add-replica-regions Region=${region}, and name the ARN of the copy`

/** Secrets Manager omits its default key. */
function withoutKey({ settings: { stripe } }: PreflightContext): Finding {
  if (stripe.secretKeyArn === undefined) return ok('encrypted with the key aws/secretsmanager')
  return fail('no stripe_secret_key_arn', stripe.secretKeyArn, 'remove it: the key of the secret is aws/secretsmanager')
}

/** The key may be named by id, ARN or alias; KMS knows its ARN, and whether it is the customer's. */
async function withKey(context: PreflightContext, keyId: string): Promise<Finding> {
  const { KeyMetadata } = await permitted(
    'kms:DescribeKey',
    new KMSClient(clientLimits).send(new DescribeKeyCommand({ KeyId: keyId })),
  )
  if (KeyMetadata?.KeyManager !== 'CUSTOMER') return withoutKey(context)
  const { Arn = keyId, KeyState } = KeyMetadata
  if (KeyState !== 'Enabled')
    return fail('an enabled KMS key', `${Arn} ${KeyState}`, `aws kms enable-key --key-id ${Arn}`)
  const { secretKeyArn } = context.settings.stripe
  if (secretKeyArn === Arn) return ok(`encrypted with ${Arn}`)
  // Without it no function has kms:Decrypt for that key, and billing answers 500.
  return fail(`stripe_secret_key_arn ${Arn}`, secretKeyArn ?? 'none', `set stripe_secret_key_arn to ${Arn}`)
}

const shape = '{"secret_key":"sk_…","webhook_secrets":["whsec_…"]}'
const fillIn = (arn: string): string =>
  `aws secretsmanager put-secret-value --secret-id ${arn} --secret-string '${shape}'`

/** Reads the value as functions do. Never prints any part of it. */
export async function stripeSecretValue(context: PreflightContext): Promise<Finding> {
  const arn = await secretArnOf(context)
  if (arn === undefined) return skip(noSecretYet)
  const read = new SecretsManagerClient(clientLimits).send(new GetSecretValueCommand({ SecretId: arn }))
  const answer = await permitted(
    'secretsmanager:GetSecretValue, and kms:Decrypt for a key of your own',
    unlessMissing(read, 'ResourceNotFoundException'),
  )
  const value = parse(answer?.SecretString)
  if (value === undefined) return fail(`JSON of the shape ${shape}`, 'another text', fillIn(arn))
  const { secret_key: key, webhook_secrets: webhookSecrets } = value
  if (key.trim() === '') {
    // A secret created by the stage is empty at first.
    return context.settings.stripe.secretArn === undefined
      ? warn('the secret has no secret_key yet; billing answers 503', fillIn(arn))
      : fail('a secret_key', 'none', fillIn(arn))
  }
  if (!/^(sk|rk)_(test|live)_/.test(key.trim()))
    return fail('a secret_key that starts with sk_ or rk_', 'another', fillIn(arn))
  const wrong = webhookSecrets.filter((secret) => !/^whsec_/.test(secret.trim()))
  if (wrong.length > 0) return fail('webhook_secrets that start with whsec_', `${wrong.length} others`, fillIn(arn))
  context.stripe = await connect(key.trim(), context.settings.stripe.apiUrl ?? '')
  context.livemode = isLivemode(key.trim())
  if (webhookSecrets.length > 0) return ok(`${webhookSecrets.length} webhook secrets`)
  return warn('the secret has no webhook_secrets; the webhook answers 503', fillIn(arn))
}

function parse(text: string | undefined) {
  try {
    return storedSecrets().parse(text ? JSON.parse(text) : {})
  } catch {
    return undefined
  }
}
