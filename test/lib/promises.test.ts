/** What every stage promises of all its functions: nothing is lost unseen, nothing is kept for ever, nothing is reserved. */
import type { Template } from 'aws-cdk-lib/assertions'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Resource, synthesize } from './synthesize.ts'

describe.each([
  { stage: 'dev', days: 7 },
  { stage: 'prod', days: 365 },
])('in $stage', ({ stage, days }) => {
  let stacks: Record<string, Resource>[]
  beforeAll(() => {
    stacks = [...synthesize({ stage }).values()].map((template: Template) => template.toJSON().Resources ?? {})
  })
  const all = (type: string): [stack: Record<string, Resource>, id: string, Resource][] =>
    stacks.flatMap((stack) =>
      Object.entries(stack)
        .filter(([, { Type }]) => Type === type)
        .map(([id, resource]): [Record<string, Resource>, string, Resource] => [stack, id, resource]),
    )

  test('every target of a rule has a dead-letter queue, and so has the function that it starts', () => {
    const rules = all('AWS::Events::Rule')
    expect(rules.length).toBeGreaterThanOrEqual(3)
    for (const [stack, id, { Properties }] of rules) {
      for (const { Arn, DeadLetterConfig } of Properties.Targets) {
        expect(stack[DeadLetterConfig.Arn['Fn::GetAtt'][0]]?.Type, id).toBe('AWS::SQS::Queue')
        const [functionId] = Arn['Fn::GetAtt']
        const invocation = Object.values(stack).find(
          ({ Type, Properties: { FunctionName } = {} }) =>
            Type === 'AWS::Lambda::EventInvokeConfig' && FunctionName?.Ref === functionId,
        )
        const { Destination } = invocation?.Properties.DestinationConfig.OnFailure ?? {}
        expect(stack[Destination?.['Fn::GetAtt'][0] ?? '']?.Type, id).toBe('AWS::SQS::Queue')
      }
    }
  })

  test('every function logs into a separate group with the retention of the stage', () => {
    const groups = new Set<string>()
    for (const [stack, id, { Properties }] of all('AWS::Lambda::Function')) {
      const group = Properties.LoggingConfig.LogGroup.Ref
      expect(stack[group]?.Properties.RetentionInDays, id).toBe(days)
      groups.add(group)
    }
    expect(groups.size).toBeGreaterThan(0)
    for (const [, id, { Properties }] of all('AWS::Logs::LogGroup')) expect(Properties.RetentionInDays, id).toBe(days)
  })

  // An account with Lambda's smallest limit cannot reserve concurrency. Provisioned concurrency costs money at rest.
  test('no function reserves concurrency or is kept warm', () => {
    for (const [, id, { Properties }] of all('AWS::Lambda::Function')) {
      expect(Properties, id).not.toHaveProperty('ReservedConcurrentExecutions')
    }
    expect([...all('AWS::Lambda::Alias'), ...all('AWS::Lambda::Version')]).toEqual([])
  })
})
