/** Monitoring of a stage: one dashboard, alarms that notify the topic of the Events stack, and the budget. */
import { Annotations, Stack } from 'aws-cdk-lib'
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2'
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import type { Construct } from 'constructs'
import { addAlarms } from './alarms.ts'
import { addBudget } from './budget.ts'
import { addDashboard } from './dashboard.ts'
import type { DeliveryStack } from './delivery-stack.ts'
import type { EventsStack } from './events-stack.ts'
import { type StageSettings, stackName } from './stage.ts'
import { StageMetrics } from './stage-metrics.ts'

interface MonitoringStackProps {
  settings: StageSettings
  httpApi: HttpApi
  table: TableV2
  events: EventsStack
  delivery: DeliveryStack
}

export class MonitoringStack extends Stack {
  constructor(scope: Construct, { settings, httpApi, table, events, delivery }: MonitoringStackProps) {
    const { stage, retainData, alarmEmail } = settings
    super(scope, stackName(stage, 'Monitoring'), { terminationProtection: retainData })
    const { projector, sweep, alarmTopic } = events
    const { router, sealer, sender } = delivery
    const metrics = new StageMetrics({ stage, httpApi, table, projector, router, sealer, sender, sweep })
    const alarms = addAlarms(this, settings, metrics, alarmTopic)
    addDashboard(this, { stage, metrics, alarms })
    addBudget(this, settings)
    if (retainData && alarmEmail === undefined) {
      const advice = `Stage ${stage} has no alarm_email: its alarms reach no person. Set it, or subscribe to AlarmTopicArn.`
      Annotations.of(this).addWarningV2('octomil:no-alarm-email', advice)
    }
  }
}
