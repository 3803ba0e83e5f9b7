/** The secret that CloudFront adds to each request, so that functions refuse requests that bypass it. */
import { SecretValue, Validations } from 'aws-cdk-lib'
import { Secret } from 'aws-cdk-lib/aws-secretsmanager'
import type { Construct } from 'constructs'

/** AWS generates it; no template contains its value. */
export function makeFrontSecret(scope: Construct): string {
  const secret = new Secret(scope, 'FrontSecret', {
    description: 'Added by CloudFront to requests of the Octomil settings API',
    generateSecretString: { excludePunctuation: true, passwordLength: 40 },
  })
  Validations.of(secret).acknowledge({
    id: 'AwsSolutions-SMG4',
    reason: 'CloudFront and the functions take it at a deploy, so no function can rotate it; the runbook says how to.',
  })
  return secret.secretArn
}

/** Resolved by CloudFormation at the deploy, for the origin header and for the variable of functions. */
export const frontSecretValue = (secretArn: string, versionId?: string): string =>
  SecretValue.secretsManager(secretArn, versionId ? { versionId } : {}).unsafeUnwrap()
