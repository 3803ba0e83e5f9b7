/** Data of a stage: the table, the keys that encrypt customers' secrets and sign the audit trail, and Stripe's secret. */
import { CfnOutput, type RemovalPolicy, Stack, Validations } from 'aws-cdk-lib'
import { AttributeType, Billing, StreamViewType, TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import { AnyPrincipal, Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { type IKey, Key, KeySpec, KeyUsage } from 'aws-cdk-lib/aws-kms'
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager'
import type { Construct } from 'constructs'
import { tableSchema } from '../shared/table/schema.ts'
import { addBackups } from './backups.ts'
import { makeFrontSecret } from './front-secret.ts'
import { removalPolicyOf, undeletablePolicyOf } from './removal-policy.ts'
import { outputNames, type StageSettings, stackName } from './stage.ts'

export class StorageStack extends Stack {
  readonly table: TableV2
  /** Of the table's new rows. */
  readonly tableStreamArn: string
  readonly secretsKey: IKey
  /** Signs the audit trail. */
  readonly auditKey: IKey
  readonly stripeSecretArn: string
  /** In stages with a front. */
  readonly frontSecretArn: string | undefined

  constructor(scope: Construct, settings: StageSettings) {
    const { stage, retainData, stripe } = settings
    super(scope, stackName(stage, 'Storage'), { terminationProtection: retainData })
    const removalPolicy = removalPolicyOf(settings)
    this.table = new TableV2(this, 'Table', {
      partitionKey: { name: tableSchema.partitionKey, type: AttributeType.STRING },
      sortKey: { name: tableSchema.sortKey, type: AttributeType.STRING },
      timeToLiveAttribute: tableSchema.timeToLive,
      billing: Billing.onDemand(),
      dynamoStream: StreamViewType.NEW_IMAGE,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: retainData,
      removalPolicy: undeletablePolicyOf(settings),
    })
    this.secretsKey = settings.secretsKeyArn
      ? Key.fromKeyArn(this, 'SecretsKey', settings.secretsKeyArn)
      : this.#secretsKey(settings)
    if (!this.table.tableStreamArn) throw new Error('the table has no stream')
    this.tableStreamArn = this.table.tableStreamArn
    this.auditKey = this.#auditKey(settings)
    if (settings.backupCopyVaultArn) addBackups(this, this.table, settings.backupCopyVaultArn)
    this.frontSecretArn = settings.hasFrontSecret ? makeFrontSecret(this) : undefined
    if (this.frontSecretArn) this.exportValue(this.frontSecretArn)
    const ownSecretArn = this.#emptySecret(stage, removalPolicy)
    this.stripeSecretArn = stripe.secretArn ?? ownSecretArn
    new CfnOutput(this, outputNames.tableName, { value: this.table.tableName })
    new CfnOutput(this, outputNames.secretsKeyArn, { value: this.secretsKey.keyArn })
    new CfnOutput(this, outputNames.auditKeyArn, { value: this.auditKey.keyArn })
    new CfnOutput(this, outputNames.stripeSecretArn, {
      value: this.stripeSecretArn,
      description: `Fill it: aws secretsmanager put-secret-value --secret-id <this> --secret-string '{"secret_key":"sk_...","webhook_secrets":["whsec_..."]}'`,
    })
  }

  #secretsKey(settings: StageSettings): Key {
    const key = new Key(this, 'SecretsKey', {
      alias: `octomil-settings-${settings.stage}`,
      description: 'Encrypts secrets of customers for the Octomil settings API',
      enableKeyRotation: true,
      // So that another region can have a replica: a copy of the table elsewhere is worth nothing without the key.
      // In every stage, since a key can never change it, and the posture can.
      multiRegion: true,
      removalPolicy: settings.keyAdminRoleArn ? undeletablePolicyOf(settings) : removalPolicyOf(settings),
    })
    if (settings.keyAdminRoleArn) denyKeyRemoval(key, settings.keyAdminRoleArn)
    return key
  }

  /** Asymmetric keys do not rotate by themselves. A lost key cannot sign; its public part stays published. */
  #auditKey(settings: StageSettings): Key {
    return new Key(this, 'AuditKey', {
      alias: `octomil-settings-${settings.stage}-audit`,
      description: 'Signs the audit trail of the Octomil settings API',
      keySpec: KeySpec.ECC_NIST_P256,
      keyUsage: KeyUsage.SIGN_VERIFY,
      removalPolicy: removalPolicyOf(settings),
    })
  }

  /**
   * An operator fills in this secret; no deploy sees its value. It and its export remain with `stripe_secret_arn` too:
   * CloudFormation refuses to remove an export in use.
   */
  #emptySecret(stage: string, removalPolicy: RemovalPolicy): string {
    const secret = new CfnSecret(this, 'StripeSecret', {
      description: `Stripe's keys for the Octomil settings API ${stage}: {"secret_key":"sk_...","webhook_secrets":["whsec_..."]}`,
    })
    secret.applyRemovalPolicy(removalPolicy)
    Validations.of(secret).acknowledge({
      id: 'AwsSolutions-SMG4',
      reason: 'Stripe issues and rotates these keys; AWS cannot.',
    })
    this.exportValue(secret.attrId)
    return secret.attrId
  }
}

/** Denies all principals except one role the calls that would make the key and its ciphertexts useless. */
const denyKeyRemoval = (key: Key, keyAdminRoleArn: string): void => {
  key.addToResourcePolicy(
    new PolicyStatement({
      sid: 'OnlyTheKeyAdminRemoves',
      effect: Effect.DENY,
      principals: [new AnyPrincipal()],
      actions: ['kms:ScheduleKeyDeletion', 'kms:DisableKey', 'kms:DeleteImportedKeyMaterial'],
      resources: ['*'],
      conditions: { ArnNotEquals: { 'aws:PrincipalArn': keyAdminRoleArn } },
    }),
  )
}
