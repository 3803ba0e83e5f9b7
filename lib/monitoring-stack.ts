/** What watches a stage: one dashboard, and alarms that tell the topic of the Events stack. */
import { Stack } from 'aws-cdk-lib'
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2'
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import type { Construct } from 'constructs'
import { addAlarms } from './alarms.ts'
import { addDashboard } from './dashboard.ts'
import type { EventsStack } from './events-stack.ts'
import { stackName } from './stage.ts'
import { StageMetrics } from './stage-metrics.ts'

interface MonitoringStackProps {
  stage: string
  httpApi: HttpApi
  table: TableV2
  events: EventsStack
  /** The resource folders whose functions the dashboard shows. */
  folders: readonly string[]
}

export class MonitoringStack extends Stack {
  constructor(scope: Construct, { stage, httpApi, table, events, folders }: MonitoringStackProps) {
    super(scope, stackName(stage, 'Monitoring'))
    const { projector, sweep, alarmTopic } = events
    const metrics = new StageMetrics({ stage, httpApi, table, projector, sweep })
    const alarms = addAlarms(this, stage, metrics, alarmTopic)
    addDashboard(this, { stage, metrics, folders, alarms })
  }
}
