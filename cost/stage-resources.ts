/** What a deployed stage consists of, counted in its synthesized templates. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App } from 'aws-cdk-lib'
import { addStacks } from '../lib/app.ts'
import { bundle } from '../lib/bundle.ts'
import { readStageSettings } from '../lib/stage.ts'
import type { Usage } from './bill.ts'
import type { PriceName } from './prices.ts'

interface Resource {
  Type: string
  Properties?: { Metrics?: readonly { MetricStat?: object }[] }
}

export interface StageResources {
  /** How many resources each stack has. */
  stacks: Map<string, number>
  /** How many there are of each type. */
  types: Map<string, number>
  /** Metrics that alarms watch: one that calculates with several is billed for each. */
  alarmMetrics: number
  /** The bytes of each function's code. */
  bundleBytes: readonly number[]
}

/** Synthesizes the stage `prod`, without an issuer of one's own. */
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

/** The types that are billed for being there; alarms are counted by what they watch. All others cost nothing at rest. */
const billedTypes: readonly [name: string, type: string, price: PriceName][] = [
  ['KMS key', 'AWS::KMS::Key', 'keyMonths'],
  ['Secret', 'AWS::SecretsManager::Secret', 'secretMonths'],
  ['Composite alarm', 'AWS::CloudWatch::CompositeAlarm', 'compositeAlarmMonths'],
  ['Dashboard', 'AWS::CloudWatch::Dashboard', 'dashboardMonths'],
]

/** What a month of a stage uses that nobody calls. */
export function idleUsage({ types, alarmMetrics }: StageResources): [name: string, count: number, usage: Usage][] {
  const ofTypes = billedTypes.map(([name, type, price]): [string, number, Usage] => {
    const count = types.get(type) ?? 0
    return [name, count, { [price]: count }]
  })
  return [...ofTypes, ['Metric that an alarm watches', alarmMetrics, { alarmMonths: alarmMetrics }]]
}
