/** Counts the resources of a deployed stage in its synthesized templates. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App } from 'aws-cdk-lib'
import { addStacks } from '../lib/app.ts'
import { bundle } from '../lib/bundle.ts'
import { readStageSettings } from '../lib/stage.ts'
import { idleQueueRequestsAMonth } from './assumptions.ts'
import type { Usage } from './bill.ts'
import type { PriceName } from './prices.ts'

interface Resource {
  Type: string
  Properties?: { Metrics?: readonly { MetricStat?: object }[]; StartingPosition?: string }
}

export interface StageResources {
  /** Resources per stack. */
  stacks: Map<string, number>
  /** Resources per type. */
  types: Map<string, number>
  /** Metrics watched by alarms. An alarm on an expression is billed for each metric in it. */
  alarmMetrics: number
  /** Queues that Lambda reads. */
  readQueues: number
  /** Bytes of each function's bundle. */
  bundleBytes: readonly number[]
}

/** Synthesizes the stage `prod` with its default issuer, Cognito. */
export function readStageResources(): StageResources {
  const outdir = mkdtempSync(join(tmpdir(), 'cost-'))
  try {
    const app = new App({ outdir, context: { stage: 'prod' } })
    addStacks(
      app,
      readStageSettings((name) => app.node.tryGetContext(name)),
    )
    const templates = app.synth().stacks.map(({ id, template }) => {
      const resources: Resource[] = Object.values(
        (template as { Resources?: Record<string, Resource> }).Resources ?? {},
      )
      return [id, resources] as const
    })
    const all = templates.flatMap(([, resources]) => resources)
    return {
      stacks: new Map(templates.map(([id, resources]) => [id, resources.length])),
      types: new Map([...Map.groupBy(all, ({ Type }) => Type)].map(([type, group]) => [type, group.length])),
      alarmMetrics: all.reduce((sum, resource) => sum + metricsOf(resource), 0),
      // Only the mapping of a stream has a position.
      readQueues: all.filter(
        ({ Type, Properties }) => Type === 'AWS::Lambda::EventSourceMapping' && !Properties?.StartingPosition,
      ).length,
      bundleBytes: Object.values(bundle().bytes),
    }
  } finally {
    rmSync(outdir, { recursive: true, force: true })
  }
}

function metricsOf({ Type, Properties }: Resource): number {
  if (Type !== 'AWS::CloudWatch::Alarm') return 0
  return Properties?.Metrics?.filter(({ MetricStat }) => MetricStat !== undefined).length ?? 1
}

/** Types that AWS bills even without requests. Alarms are counted by their metrics; all other types are free at rest. */
const billedTypes: readonly [name: string, type: string, price: PriceName][] = [
  ['KMS key', 'AWS::KMS::Key', 'keyMonths'],
  ['Secret', 'AWS::SecretsManager::Secret', 'secretMonths'],
  ['Composite alarm', 'AWS::CloudWatch::CompositeAlarm', 'compositeAlarmMonths'],
  ['Dashboard', 'AWS::CloudWatch::Dashboard', 'dashboardMonths'],
]

/** Usage of a stage in a month without requests. */
export function idleUsage({
  types,
  alarmMetrics,
  readQueues,
}: StageResources): [name: string, count: number, usage: Usage][] {
  const ofTypes = billedTypes.map(([name, type, price]): [string, number, Usage] => {
    const count = types.get(type) ?? 0
    return [name, count, { [price]: count }]
  })
  return [
    ...ofTypes,
    ['Metric watched by an alarm', alarmMetrics, { alarmMonths: alarmMetrics }],
    ['Queue that Lambda reads', readQueues, { queueRequests: readQueues * idleQueueRequestsAMonth }],
  ]
}
