/** Backups of the table elsewhere (`backup_copy_vault_arn`): one a day, copied to a vault in another region or account. */
import { Duration, Fn, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib'
import { BackupPlan, BackupPlanRule, BackupResource, BackupVault } from 'aws-cdk-lib/aws-backup'
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import { Schedule } from 'aws-cdk-lib/aws-events'
import type { Construct } from 'constructs'

const keptFor = Duration.days(35)

export function addBackups(scope: Construct, table: TableV2, copyVaultArn: string): void {
  const vault = new BackupVault(scope, 'BackupVault', {
    // A vault with backups stays. Its name has a part of the stack's id, so that the next stack makes another.
    backupVaultName: `octomil-${Fn.select(2, Fn.split('/', Stack.of(scope).stackId))}`,
    removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
  })
  const plan = new BackupPlan(scope, 'BackupPlan', { backupVault: vault })
  plan.addRule(
    new BackupPlanRule({
      ruleName: 'daily',
      scheduleExpression: Schedule.cron({ hour: '3', minute: '0' }),
      deleteAfter: keptFor,
      copyActions: [
        {
          destinationBackupVault: BackupVault.fromBackupVaultArn(scope, 'CopyVault', copyVaultArn),
          deleteAfter: keptFor,
        },
      ],
    }),
  )
  const selection = plan.addSelection('Table', { resources: [BackupResource.fromArn(table.tableArn)] })
  Validations.of(selection).acknowledge({
    id: 'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup]',
    reason: 'A managed policy of AWS for its backup service: the required actions change with the service.',
  })
}
