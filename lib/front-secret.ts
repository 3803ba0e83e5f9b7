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
    reason: 'CloudFront and the functions read it at a deploy. To rotate it, delete it and deploy twice.',
  })
  return secret.secretArn
}

/** CloudFormation resolves it at the deploy, for the origin header and the functions' variable. */
export const frontSecretValue = (secretArn: string): string => SecretValue.secretsManager(secretArn).unsafeUnwrap()
