/** What must outlive everything else: the table, the key that customers' secrets are sealed with, and Stripe's secret. */
import { CfnOutput, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib'
import { AttributeType, Billing, TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import { Key } from 'aws-cdk-lib/aws-kms'
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager'
import type { Construct } from 'constructs'
import { tableSchema } from '../shared/storage/schema.ts'
import { outputNames, type StageSettings, stackName } from './stage.ts'

export class StorageStack extends Stack {
  readonly table: TableV2
  readonly secretsKey: Key
  readonly stripeSecretArn: string

  constructor(scope: Construct, { stage, retainData, stripe }: StageSettings) {
    super(scope, stackName(stage, 'Storage'), { terminationProtection: retainData })
    const removalPolicy = retainData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY
    this.table = new TableV2(this, 'Table', {
      partitionKey: { name: tableSchema.partitionKey, type: AttributeType.STRING },
      sortKey: { name: tableSchema.sortKey, type: AttributeType.STRING },
      timeToLiveAttribute: tableSchema.timeToLive,
      billing: Billing.onDemand(),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: retainData,
      removalPolicy,
    })
    this.secretsKey = new Key(this, 'SecretsKey', {
      alias: `octomil-settings-${stage}`,
      description: 'Seals the secrets that customers entrust to the Octomil settings API',
      enableKeyRotation: true,
      removalPolicy,
    })
    this.stripeSecretArn = stripe.secretArn ?? this.#emptySecret(stage, removalPolicy)
    new CfnOutput(this, outputNames.tableName, { value: this.table.tableName })
    new CfnOutput(this, outputNames.secretsKeyArn, { value: this.secretsKey.keyArn })
    new CfnOutput(this, outputNames.stripeSecretArn, {
      value: this.stripeSecretArn,
      description: `Fill it: aws secretsmanager put-secret-value --secret-id <this> --secret-string '{"secret_key":"sk_...","webhook_secrets":["whsec_..."]}'`,
    })
  }

  /** Empty, for billing to say what is missing until somebody fills it in; no deploy ever sees its value. */
  #emptySecret(stage: string, removalPolicy: RemovalPolicy): string {
    const secret = new CfnSecret(this, 'StripeSecret', {
      description: `Stripe's keys for the Octomil settings API ${stage}: {"secret_key":"sk_...","webhook_secrets":["whsec_..."]}`,
    })
    secret.applyRemovalPolicy(removalPolicy)
    Validations.of(secret).acknowledge({
      id: 'AwsSolutions-SMG4',
      reason: 'Stripe makes these keys and rolls them; a function of AWS could not.',
    })
    return secret.attrId
  }
}
