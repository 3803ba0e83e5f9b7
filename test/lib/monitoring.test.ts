/** What watches a stage: alarms that say how urgent they are and what to do, and a dashboard; and what that costs at rest. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Template } from 'aws-cdk-lib/assertions'
import { beforeAll, describe, expect, test } from 'vitest'
import { operationList } from '../../functions/operations.ts'
import { runbook } from '../../lib/alarms.ts'
import { stackName } from '../../lib/stage.ts'
import { ofType, type Resource, resourcesOf, synthesize } from './synthesize.ts'

let app: Map<string, Template>
let resources: Resource[]
let alarms: Resource['Properties'][]

beforeAll(() => {
  app = synthesize({ stage: 'dev' })
  resources = resourcesOf([app.get(stackName('dev', 'Monitoring')) as Template])
  alarms = ofType(resources, 'AWS::CloudWatch::Alarm').map(({ Properties }) => Properties)
})

const namePattern = /^octomil-settings-dev-(page|ticket)-([a-z][a-z0-9-]*)$/
function named(name: string): Resource['Properties'] {
  const alarm = alarms.find(({ AlarmName }) => namePattern.exec(AlarmName)?.[2] === name)
  if (!alarm) throw new Error(`no alarm ${name}`)
  return alarm
}

/** The sections of the runbook about alarms, by name, each with its headings. */
function sections(): Map<string, string[]> {
  const text = readFileSync(join(import.meta.dirname, '..', '..', runbook), 'utf8')
  const [, part = ''] = /^## Alarms\n([\s\S]*?)(?=^## |$(?![\s\S]))/m.exec(text) ?? []
  const parts = part.split(/^### /m).slice(1)
  return new Map(
    parts.map((section) => [
      section.split('\n', 1)[0] ?? '',
      [...section.matchAll(/^#### (.+)\n\n\S/gm)].map(([, heading = '']) => heading),
    ]),
  )
}

describe('every alarm', () => {
  test('notifies the topic of the Events stack, and is the only alarm', () => {
    expect(alarms.length).toBeGreaterThan(8)
    expect(ofType(resourcesOf(app.values()), 'AWS::CloudWatch::Alarm')).toHaveLength(alarms.length)
    for (const { AlarmActions, AlarmName } of alarms) {
      expect(AlarmActions, AlarmName).toEqual([{ 'Fn::ImportValue': expect.stringMatching(/-Events:.*Alarms/) }])
    }
  })

  test('has its urgency in its name and description, its meaning, and a link to the runbook', () => {
    for (const { AlarmName, AlarmDescription } of alarms) {
      const [, severity, name] = namePattern.exec(AlarmName) ?? []
      expect(AlarmDescription).toMatch(new RegExp(`^${severity}: .{20,}\\. docs/runbook\\.md#${name}$`))
    }
    expect(new Set(alarms.map(({ AlarmName }) => namePattern.exec(AlarmName)?.[1]))).toEqual(
      new Set(['page', 'ticket']),
    )
  })

  test('has a runbook section with meaning, investigation and resolution; and every section has an alarm', () => {
    const names = alarms.map(({ AlarmName }) => namePattern.exec(AlarmName)?.[2])
    expect([...sections().keys()].sort()).toEqual(names.sort())
    for (const [name, headings] of sections()) {
      expect(headings, name).toEqual(['Meaning', 'Where to look', 'What to do'])
    }
  })
})

test('missing data is fine for every metric except the sweep', () => {
  const { TreatMissingData, ComparisonOperator, Period, EvaluationPeriods } = named('sweep-missing')
  expect([TreatMissingData, ComparisonOperator]).toEqual(['breaching', 'LessThanThreshold'])
  expect(Period * EvaluationPeriods).toBe(3 * 3600)
  for (const alarm of alarms) {
    if (alarm !== named('sweep-missing')) expect(alarm.TreatMissingData, alarm.AlarmName).toBe('notBreaching')
  }
})

test('a share of few requests raises no alarm', () => {
  const expressions = named('api-errors').Metrics.map(({ Expression }) => Expression)
  expect(expressions).toContain('IF(FILL(requests, 0) >= 20, 100 * FILL(errors, 0) / requests, 0)')
})

test('both dead-letter queues are watched together', () => {
  const queues = JSON.stringify(named('dead-letters').Metrics)
  expect(queues).toMatch(/ProjectDeadLetters.*SweepDeadLetters/s)
})

// Deliveries add four: age and dead letters, each of the router and of the sender.
test('monitoring stays within its budget: one dashboard, and at most 23 metrics in alarms', () => {
  expect(ofType(resourcesOf(app.values()), 'AWS::CloudWatch::Dashboard')).toHaveLength(1)
  const watched = alarms.flatMap(({ Metrics }): unknown[] =>
    Metrics ? Metrics.filter(({ MetricStat }) => MetricStat) : ['one'],
  )
  expect(watched.length).toBeLessThanOrEqual(23)
})

test('the dashboard shows every resource folder, and names no function, so that any can be removed again', () => {
  const body = JSON.stringify(ofType(resources, 'AWS::CloudWatch::Dashboard')[0]?.Properties.DashboardBody)
  for (const folder of new Set(operationList.map(([name]) => name.split('/')[0]))) {
    expect(body).toMatch(new RegExp(`label[\\\\":]+${folder}\\\\`))
  }
  const imports: string[] = body.match(/OctomilSettings-dev-\w+:/g) ?? []
  expect([...new Set(imports)].sort()).toEqual(
    ['Api', 'Events', 'Storage'].map((part) => `OctomilSettings-dev-${part}:`).filter((part) => imports.includes(part)),
  )
})
