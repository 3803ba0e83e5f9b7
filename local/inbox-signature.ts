/** Checks signatures of webhooks that the local inbox received, with the secrets of their integrations. */
import { ScanCommand } from '@aws-sdk/lib-dynamodb'
import { Webhook, WebhookVerificationError } from 'standardwebhooks'
import { open } from '../shared/delivery/open.ts'
import { findIntegration } from '../shared/delivery/switch-off.ts'
import { integrations } from '../shared/integrations/entity.ts'
import { signingKey } from '../shared/integrations/signing-secret.ts'
import { Secret } from '../shared/secrets/secret.ts'
import { table, tableName } from '../shared/table/client.ts'
import { orgIdOf } from '../shared/table/rows.ts'

/** `not checked`: the integration is unknown, or has no secret. */
export type Verdict = 'valid' | 'wrong' | 'not checked'

/** Checks a webhook with the current secret of its integration, and with the replaced one while that lives on. */
export async function checkSignature(
  integrationId: string | null,
  headers: Record<string, string>,
  body: Buffer,
): Promise<Verdict> {
  const secrets = await secretsOf(integrationId)
  if (secrets.length === 0) return 'not checked'
  return secrets.some((secret) => isSignedWith(secret, headers, body)) ? 'valid' : 'wrong'
}

function isSignedWith(secret: Secret, headers: Record<string, string>, body: Buffer): boolean {
  try {
    new Webhook(signingKey(secret.reveal()).toString('base64')).verify(body, headers, { jsonParse: false })
    return true
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false
    throw error
  }
}

async function secretsOf(integrationId: string | null): Promise<Secret[]> {
  const orgId = integrationId === null ? undefined : await orgOf(integrationId)
  const integration = orgId && integrationId ? await findIntegration(orgId, integrationId) : undefined
  if (!orgId || !integration) return []
  const { config, replacedSecret } = await open(orgId, integration)
  return [config.signing_secret, replacedSecret].filter((each) => each instanceof Secret)
}

const known = new Map<string, string>()

/** A request names its integration only. Reads the whole local table, once per integration. */
async function orgOf(integrationId: string): Promise<string | undefined> {
  let after: Record<string, unknown> | undefined
  do {
    if (known.has(integrationId)) break
    const { Items = [], LastEvaluatedKey } = await table().send(
      new ScanCommand({
        TableName: tableName(),
        ProjectionExpression: 'pk',
        FilterExpression: 'sk = :sk',
        ExpressionAttributeValues: { ':sk': integrations.prefix + integrationId },
        ...(after ? { ExclusiveStartKey: after } : {}),
      }),
    )
    for (const { pk } of Items) known.set(integrationId, orgIdOf(String(pk)))
    after = LastEvaluatedKey
  } while (after)
  return known.get(integrationId)
}
