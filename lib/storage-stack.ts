/** What must outlive everything else: the table, and the key that customers' secrets are sealed with. */
import { CfnOutput, RemovalPolicy, Stack } from 'aws-cdk-lib'
import { AttributeType, Billing, TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import { Key } from 'aws-cdk-lib/aws-kms'
import type { Construct } from 'constructs'
import { tableSchema } from '../shared/storage/schema.ts'
import { outputNames, type StageSettings, stackName } from './stage.ts'

export class StorageStack extends Stack {
  readonly table: TableV2
  readonly secretsKey: Key

  constructor(scope: Construct, { stage, retainData }: StageSettings) {
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
    new CfnOutput(this, outputNames.tableName, { value: this.table.tableName })
    new CfnOutput(this, outputNames.secretsKeyArn, { value: this.secretsKey.keyArn })
  }
}
